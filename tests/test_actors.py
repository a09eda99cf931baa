"""Ray: shards that die while they are asked, and a refresh whose workers die."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexing.actors import ActorShards, connect
from indexing.mapping import refresh_mapped
from indexing.refresh import add_documents, refresh
from indexing.search import Searcher
from indexing.sources import Folder
from indexing.store import Index
from indexing.table import Table
from indexing.table_rows import Place
from indexing.types import Cancelled, ClusterFailed, Query
from tests.hashing import HashingEncoder
from tests.test_table import WORDS, collection, plain

pytest.importorskip("lance", reason="the extra `cluster` is not installed")
pytest.importorskip("ray", reason="the extra `cluster` is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Ray's own code
    pytest.mark.timeout(300),  # every process that Ray starts imports it all
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    try:
        ray = connect("local", 2)
    except ClusterFailed:  # Ray gives a node half a minute, which a busy machine may pass
        import ray

        ray.shutdown()
        connect("local", 2)
    yield ray
    ray.shutdown()


def test_shards_that_die_give_right_answers(tmp_path: Path, cluster: Any, index: Index) -> None:
    encoder, place = HashingEncoder(), Place(str(tmp_path / "table"))
    table = Table.create(place, encoder)
    for part in range(0, 40, 10):
        for each in (index, table):
            add_documents(collection(40)[part : part + 10], each, encoder)
    shards = ActorShards(place, "local", 2, tmp_path / "cache")
    one, several = Searcher(index, encoder), Searcher(Table.open(place, shards), encoder)
    queries = [Query(" ".join(WORDS[i : i + n])) for i, n in ((0, 1), (3, 4), (20, 2))]
    right = [plain(hits) for hits in one.search_many(queries, 8)]
    assert [plain(hits) for hits in several.search_many(queries, 8)] == right
    pids = [cluster.get(actor.__ray_call__.remote(lambda _: os.getpid())) for actor in shards.actors]
    killing = threading.Timer(0.05, lambda: [os.kill(pid, signal.SIGKILL) for pid in pids[:1]])
    killing.start()
    until = time.monotonic() + 0.3
    while time.monotonic() < until or killing.is_alive():
        assert [plain(hits) for hits in several.search_many(queries, 8)] == right
    assert [plain(hits) for hits in several.search_many(queries, 8)] == right
    several.index.close()


class Fragile(HashingEncoder):
    """Ends its process when it first encodes a certain text, as a machine does that fails, and always at another."""

    def __init__(self, died: Path) -> None:
        super().__init__()
        self.died = died

    def encode_passages(self, texts: Any) -> Any:
        if any("number7" in text for text in texts) and not self.died.exists():
            self.died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if any("poison" in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_passages(texts)


def test_mapped_refresh_whose_worker_dies(
    tmp_path: Path, cluster: Any, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cluster
    folder, died = tmp_path / "docs", tmp_path / "died"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i}.md").write_text(f"# Title {i}\n\nThe lion number{i} sleeps in the shade.")
    (folder / "bad.pdf").write_bytes(b"no pdf")
    table = Table.create(Place(str(tmp_path / "table")), HashingEncoder())
    here = HashingEncoder()
    source = Folder(folder.resolve())

    def mapped() -> Any:
        return refresh_mapped([source], table, here, lambda: Fragile(died), "local", workers=1)

    report, alone = mapped(), refresh([source], index, HashingEncoder())
    assert died.exists()
    assert (report.added, len(report.failed)) == (alone.added, len(alone.failed)) == (12, 1)
    assert here.passages == 0  # all was encoded by workers
    assert [each.text for each in table.documents()] == [each.text for each in index.documents()]
    assert table.counts().passages == index.counts().passages
    question = Query("lion number7")
    assert plain(Searcher(table, here).search(question, 3)) == plain(Searcher(index, here).search(question, 3))
    (folder / "3.md").unlink()
    with pytest.raises(Cancelled):
        refresh_mapped([source], table, here, HashingEncoder, "local", cancelled=lambda: True)
    monkeypatch.setattr("indexing.mapping.DEATHS", 2)
    (folder / "5.md").write_text("# Title 5\n\nA poison.")
    again = mapped()
    assert (again.same, again.removed, again.added) == (10, 1, 0)
    assert [each.reason for each in again.failed if each.url.endswith("5.md")] == [
        "5.md ended the process that read it, 2 times. Its earlier version stays in the index."
    ]
