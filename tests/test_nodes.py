"""Two real Ray nodes over a table in a bucket: the same answers as one machine, also when a node or a writer dies."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexing.actors import ActorShards, connect
from indexing.mapping import refresh_mapped
from indexing.refresh import add_documents, refresh
from indexing.search import Searcher
from indexing.store import Index
from indexing.table import Table
from indexing.table_rows import Place
from indexing.types import ClusterFailed, Encoder, Query
from service.app import EXAMPLES
from tests.hashing import HashingEncoder
from tests.s3 import make_bucket, s3
from tests.test_table import WORDS, collection, plain, state

for package in ("lance", "ray", "boto3", "moto.server", "flask_cors"):
    pytest.importorskip(package, reason="the extra `cluster`, boto3 or moto is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Ray's and the S3 server's own code
    pytest.mark.timeout(300),  # every process that Ray starts imports it all
]
WAIT = 120.0
"""Seconds for what follows the death of a node: Ray notices it after some fifteen."""


@dataclass
class Nodes:
    """A cluster of two nodes, each with its processes in a session of its own, so that one can be killed as a whole."""

    folder: Path
    address: str
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, *options: str) -> None:
        """Another node with two processors."""
        temporary = tempfile.mkdtemp(dir=self.folder)
        node = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus=2", "--disable-usage-stats"]
        node += [f"--temp-dir={temporary}", f"--object-store-memory={100 << 20}", *options]
        with (self.folder / "log").open("ab") as log:
            self.running.append(subprocess.Popen(node, start_new_session=True, stdout=log, stderr=log))

    def both(self) -> None:
        """Two nodes that are alive, when one of them was killed too."""
        if len(self.running) < 2:
            self.start(f"--address={self.address}")
        soon(lambda: self.alive() == 2)

    def alive(self) -> int:
        """Nodes that the cluster takes for alive."""
        import ray

        return sum(node["Alive"] for node in ray.nodes())

    def kill(self) -> None:
        """Ends the node that was started last with all that runs on it, as when its power fails."""
        node = self.running.pop()
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and session_of(process) == node.pid:
                os.kill(int(process.name), signal.SIGKILL)
        node.wait()


def session_of(process: Path) -> int:
    """The session of a process, 0 for one that has ended."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def soon(true: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    """Nodes that ask for a token, and find the bucket through their environment, as the processes of this module do."""
    import ray

    with s3() as variables, pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory("ray") as folder:
        for name, value in {**variables, "RAY_AUTH_MODE": "token", "PYTHONPATH": os.pathsep.join(sys.path)}.items():
            patch.setenv(name, value)
        ray._raylet.Config.initialize("")  # it has read the environment when it was imported
        subprocess.run([Path(sys.executable).parent / "ray", "get-auth-token", "--generate"], check=True, stdout=-3)
        make_bucket(variables, "bucket")
        port = free_port()
        nodes = Nodes(Path(folder), f"127.0.0.1:{port}")
        nodes.start("--head", f"--port={port}", "--include-dashboard=false")
        try:
            soon(lambda: reachable(port))
            connect(nodes.address)
            yield nodes
        finally:
            ray.shutdown()
            while nodes.running:
                nodes.kill()


def reachable(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    cluster.both()
    return cluster


def run(home: Path, nodes: Nodes, table: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The product's own command line."""
    command = [sys.executable, "-m", "service.cli", "--home", str(home), "--set", f"table={table}"]
    return subprocess.run(
        [*command, *arguments, "--cluster", nodes.address], capture_output=True, text=True, check=False
    )


def test_refresh_and_answers_equal_those_of_one_machine(
    tmp_path: Path, nodes: Nodes, models_home: Path, encoder: Encoder
) -> None:
    docs, place = EXAMPLES / "zh", Place("s3://bucket/real")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(models_home / "models", target_is_directory=True)
    done = run(tmp_path / "home", nodes, place.uri, "refresh", str(docs))
    assert (done.returncode, done.stderr) == (0, "")
    index = Index.create(tmp_path / "index", encoder)
    assert done.stdout.strip() == refresh([docs], index, encoder).counts
    shards = ActorShards(place, nodes.address, 3, tmp_path / "cache")
    table = Table.open(place, shards)
    assert len(table.documents()) > 10
    assert [each.text for each in table.documents()] == [each.text for each in index.documents()]
    for each in index.documents():
        assert table.passages(each.id) == index.passages(each.id)
        here, there = index.known_vectors(each.id), table.known_vectors(each.id)
        assert here.keys() == there.keys()
        for text, vector in here.items():
            np.testing.assert_allclose(there[text], vector, atol=2e-3)  # 16 bits, and other texts encoded beside it
    one, several = Searcher(index, encoder), Searcher(table, encoder)
    queries = [Query(text) for text in ("谁第一个登上月球？", "moon landing", "北京的人口", "斑马")]
    for here, there in zip(one.search_many(queries, 10), several.search_many(queries, 10), strict=True):
        assert [hit.passage for hit in there] == [hit.passage for hit in here]
        assert [hit.lexical for hit in there] == [hit.lexical for hit in here]
        assert [hit.score for hit in there] == pytest.approx([hit.score for hit in here], abs=1e-3)
    shards.close()


def test_node_killed_between_questions_gives_no_wrong_answer(tmp_path: Path, nodes: Nodes, index: Index) -> None:
    encoder, place = HashingEncoder(), Place("s3://bucket/asked")
    table = Table.create(place, encoder)
    for part in range(0, 40, 10):
        for each in (index, table):
            add_documents(collection(40)[part : part + 10], each, encoder)
    shards = ActorShards(place, nodes.address, 4, tmp_path / "cache")
    one, several = Searcher(index, encoder), Searcher(Table.open(place, shards), encoder)
    queries = [Query(" ".join(WORDS[i : i + n])) for i, n in ((0, 1), (3, 4), (20, 2))]
    right = [plain(hits) for hits in one.search_many(queries, 8)]
    assert [plain(hits) for hits in several.search_many(queries, 8)] == right
    assert len({host(actor) for actor in shards.actors}) == 2
    nodes.kill()
    answered, until = 0, time.monotonic() + WAIT
    while answered < 5:
        assert time.monotonic() < until
        try:
            found = [plain(hits) for hits in several.search_many(queries, 8)]
        except ClusterFailed:
            continue
        assert found == right
        answered += 1
    assert len({host(actor) for actor in shards.actors}) == 1
    shards.close()


def host(actor: Any) -> str:
    """The node that an actor runs on."""
    import ray

    return str(ray.get(actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())))


class Slow(HashingEncoder):
    """Takes a moment for each text, so that a refresh is under way for a while; begins when both nodes do."""

    def __init__(self, notes: Path) -> None:
        import ray

        super().__init__()
        (notes / f"{ray.get_runtime_context().get_node_id()} {os.getpid()}").touch()
        soon(lambda: len({note.name.split()[0] for note in notes.iterdir()}) > 1)

    def encode_passages(self, texts: Any) -> Any:
        time.sleep(0.1 * len(texts))
        return super().encode_passages(texts)


def write(folder: Path, edition: int, count: int = 60) -> None:
    folder.mkdir(exist_ok=True)
    for i in range(count):
        (folder / f"{i:02}.md").write_text(f"# Title {i}\n\nThe lion number{i} sleeps, edition{edition}.")


def editions(table: Table) -> dict[str, str]:
    """The edition of each document, by title; every document is there once, with one passage."""
    documents, (ids, passages) = table.documents(limit=1000), state(table)
    assert len(documents) == len(ids) == len({each.title for each in documents}) == passages
    return {each.title: each.text.rpartition("edition")[2].rstrip(".\n") for each in documents}


def test_node_killed_in_a_refresh_loses_and_doubles_nothing(tmp_path: Path, nodes: Nodes) -> None:
    docs, notes = tmp_path / "docs", tmp_path / "notes"
    write(docs, 1)
    notes.mkdir()
    table = Table.create(Place("s3://bucket/mapped"), HashingEncoder())
    killed: list[int] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "read" and done == 5:
            nodes.kill()
            killed.append(total)

    report = refresh_mapped([docs], table, HashingEncoder(), partial(Slow, notes), nodes.address, progress=progress)
    assert killed == [60]
    assert (report.added, report.failed) == (60, ())
    assert editions(table) == {f"Title {i}": "1" for i in range(60)}


def write_over(folder: Path, place: Place, address: str) -> None:
    """A refresh in a process of its own."""
    refresh_mapped([folder], Table.open(place), HashingEncoder(), partial(Slow, folder.parent / "notes"), address)


def test_killed_writer_leaves_each_document_old_or_new(tmp_path: Path, nodes: Nodes) -> None:
    docs, place = tmp_path / "docs", Place("s3://bucket/written")
    (tmp_path / "notes").mkdir()
    write(docs, 1)
    table = Table.create(place, HashingEncoder())
    assert refresh([docs], table, HashingEncoder()).added == 60
    write(docs, 2)
    program = (
        f"from tests.test_nodes import *; write_over(Path({str(docs)!r}), Place({place.uri!r}), {nodes.address!r})"
    )
    writer = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[1])
    before = Table.open(place).snapshot().version
    soon(lambda: Table.open(place).snapshot().version > before)
    writer.kill()
    writer.wait()
    found = editions(Table.open(place))
    assert set(found.values()) == {"1", "2"}
    assert len(found) == 60
    left = sum(edition == "1" for edition in found.values())
    report = refresh_mapped([docs], Table.open(place), HashingEncoder(), HashingEncoder, nodes.address)
    assert (report.changed, report.same) == (left, 60 - left)
    assert editions(Table.open(place)) == {f"Title {i}": "2" for i in range(60)}
