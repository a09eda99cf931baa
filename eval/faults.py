"""What an index survives: writers killed at any moment, damaged files, two writers at once, a clock that jumps, a
full disk.

Every refresh runs in a process of its own, which is killed at a random moment, while another process reads. After each
kill the index must open and be whole, each document be as it was or as it is to become, and the reader have seen no
error. The encoder hashes words: what is tried here is the index.
"""

import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from eval.report import Figure, Report, figure_table, write
from indexing.rebuild import verify
from indexing.refresh import refresh
from indexing.store import Index
from indexing.types import IndexDamaged, PasserineError, Progress, StorageFailed, Vectors

KILLS, DAMAGES, WRITERS, FILLINGS = 200, 400, 4, 40
DISK = 8 << 20
"""Bytes of the file system that is filled: some ten times the index."""
ROOM = 400_000
"""Bytes left free at most: a refresh wants about half of it."""
FILES = 40
FIRST = 0x4E00  # the filler is Chinese, whose language is seen without a model to load
ASKED = ["zebra", chr(FIRST) + chr(FIRST + 1), chr(FIRST + 7) + chr(FIRST + 8)]


class Hashed:
    """Words hashed into 16 numbers."""

    name, dimension, fingerprint = "hashed", 16, "hashed"

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encode_passages(texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        digests = [hashlib.blake2b(text.encode(), digest_size=self.dimension).digest() for text in texts]
        vectors = np.frombuffer(b"".join(digests), np.uint8).reshape(len(texts), -1).astype(np.float32) + 1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


@dataclass(eq=False)
class Folder:
    """A folder of texts that changes: each file holds its name, its version, and filler."""

    path: Path
    chance: random.Random
    versions: dict[str, int] = field(default_factory=dict)
    last: int = 0

    def change(self) -> dict[str, int]:
        """Add, change and delete some files; returns the versions as they were."""
        before = dict(self.versions)
        for name in self.chance.sample(sorted(self.versions), len(self.versions) // 4):
            (self.path / name).unlink()
            del self.versions[name]
        some = self.chance.sample(sorted(self.versions), len(self.versions) // 3)
        for name in (*some, *(f"file{self.last + i}.txt" for i in range(FILES - len(self.versions)))):
            self.last += 1
            self.versions[name] = self.last
            filler = "".join(chr(FIRST + self.chance.randrange(300)) for _ in range(self.chance.randrange(20, 900)))
            (self.path / name).write_text(f"zebra version{self.last} {filler}\n", encoding="utf-8")
            os.utime(self.path / name, (self.last, self.last))
        return before


def run_faults(
    out: Path,
    progress: Progress | None = None,
    kills: int = KILLS,
    damages: int = DAMAGES,
    fillings: int = FILLINGS,
    seed: int = 0,
) -> Report:
    """`passerine evaluate faults`: writes faults.md and faults.json into `out`."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        killed = killed_writers(folder / "killed", kills, chance, progress)
        segment = damaged(folder / "killed" / "index", "segments/*.seg", damages, chance, progress)
        catalogue = damaged(folder / "killed" / "index", "catalogue.sqlite", damages, chance, progress)
        lost = two_writers(folder / "two")
        unseen = jumping_clock(folder / "clock")
        full = full_disk(folder / "full", fillings, chance)
    figures = {
        "faults/killed writers": broken(killed, kills),
        "faults/damaged segments": broken(segment, damages),
        "faults/damaged catalogue": broken(catalogue, damages),
        "faults/two writers": broken(lost, WRITERS),
        "faults/clock": broken(unseen, 2),
    }
    if full is None:
        full = ["The full disk was left out: this user may not mount a file system."]
    else:
        figures["faults/full disk"] = broken(full, fillings)
    every = (*killed, *segment, *catalogue, *lost, *unseen, *full)
    report = Report(
        "faults", "passerine evaluate faults", (figure_table("Faults", figures),), figures, notes=every[:20]
    )
    write(report, out)
    return report


def broken(problems: Sequence[str], n: int) -> Figure:
    """How often something went wrong, of `n` times."""
    return Figure(float(len(problems)), n, failures=len(problems), target=0.0, unit="broken", better="lower")


def killed_writers(work: Path, kills: int, chance: random.Random, progress: Progress | None = None) -> list[str]:
    """What was wrong after any of the kills, one sentence each."""
    work.mkdir(parents=True)
    (work / "docs").mkdir()
    path, folder = work / "index", Folder(work / "docs", chance)
    folder.change()
    Index.create(path, Hashed()).close()
    whole = timed(lambda: child(_refresh, path, folder.path).join())
    stop: Event = processes().Event()
    errors: Queue[str] = processes().Queue()
    reader = child(_read, path, stop, errors)
    problems: list[str] = []
    for number in range(kills):
        before = folder.change()
        writer = child(_refresh, path, folder.path)
        time.sleep(chance.uniform(0, 1.1 * whole))
        writer.kill()
        writer.join()
        problems += [f"kill {number}: {problem}" for problem in state(path, folder, before)]
        child(_refresh, path, folder.path).join()  # what was begun goes on to its end
        problems += [f"after kill {number}: {problem}" for problem in state(path, folder, folder.versions)]
        if progress:
            progress("kills", number + 1, kills)
    stop.set()
    reader.join()
    while not errors.empty():
        problems.append(f"the reader: {errors.get()}")
    return problems


def state(path: Path, folder: Folder, before: dict[str, int]) -> list[str]:
    """What is wrong with an index between two versions of its folder."""
    index = Index.open(path)
    try:
        problems = verify(index)
        held = {document.url.rpartition("/")[2]: document.text for document in index.documents(limit=10 * FILES)}
        for name in {*before, *folder.versions, *held}:
            allowed = {before.get(name), folder.versions.get(name)}
            version = int(held[name].split()[1].removeprefix("version")) if name in held else None
            if version not in allowed:
                problems.append(f"{name} has version {version}, not one of {allowed}")
        rows, _ = index.snapshot().lexical.top(["zebra"], 10 * FILES)
        found = index.catalogue.passages(index.snapshot().keys[rows].tolist())
        searched = {document.url.rpartition("/")[2] for _, document in found.values()}
        if searched != held.keys():
            problems.append(f"found by words and not stored, or the reverse: {sorted(searched ^ held.keys())}")
        return problems
    finally:
        index.close()


def damaged(path: Path, pattern: str, times: int, chance: random.Random, progress: Progress | None = None) -> list[str]:
    """Damage that was neither named nor without consequence, one sentence each: half the times a bit is flipped, half
    the times the file is cut."""
    truth = answers(path)
    files = sorted(path.glob(pattern))
    problems = []
    with tempfile.TemporaryDirectory() as work:
        for number in range(times):
            copy = Path(work) / "index"
            shutil.copytree(path, copy)
            target = copy / chance.choice(files).relative_to(path)
            content = bytearray(target.read_bytes())
            place = chance.randrange(len(content))
            if number % 2:
                content[place] ^= 1 << chance.randrange(8)
            else:
                del content[place:]
            target.write_bytes(content)
            try:
                if answers(copy) != truth:
                    problems.append(f"{target.name}, {'bit' if number % 2 else 'cut'} at {place}: another answer")
            except PasserineError:
                pass  # named, with what to do
            except Exception as error:  # noqa: BLE001 - that there is no other is what is measured
                problems.append(f"{target.name}, {'bit' if number % 2 else 'cut'} at {place}: {error!r}")
            shutil.rmtree(copy)
            if progress:
                progress(f"damage to {pattern}", number + 1, times)
    return problems


def answers(path: Path) -> list[object]:
    """What an index says of everything in it."""
    index = Index.open(path)
    try:
        snapshot = index.snapshot()
        rows, scores = snapshot.lexical.top(ASKED, 10 * FILES)
        keys = snapshot.keys[rows].tolist()
        found = index.catalogue.passages(keys)
        if missing := [key for key in keys if key not in found]:
            raise IndexDamaged(f"{path} lacks {len(missing)} passages.", "")
        return [(found[key], score) for key, score in zip(keys, scores, strict=True)]
    finally:
        index.close()


def two_writers(work: Path) -> list[str]:
    """Several processes that refresh one index from folders of their own: what is missing after that."""
    work.mkdir(parents=True)
    Index.create(work / "index", Hashed()).close()
    folders = []
    for number in range(WRITERS):
        (work / f"docs{number}").mkdir()
        folders.append(Folder(work / f"docs{number}", random.Random(number)))
        folders[-1].change()
    writers = [child(_refresh, work / "index", folder.path) for folder in folders]
    for writer in writers:
        writer.join()
    index = Index.open(work / "index")
    try:
        problems = verify(index)
        stored = index.counts().documents
        wanted = WRITERS * FILES
        return problems + ([f"{stored} documents instead of {wanted}"] if stored != wanted else [])
    finally:
        index.close()


def full_disk(work: Path, times: int, chance: random.Random) -> list[str] | None:
    """What was wrong after any of the refreshes on a file system that is full but for some bytes; None where none may
    be mounted. Once there is room, the index holds each document as it was or is to become, and the refresh goes on."""
    disk = work / "disk"
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    try:
        return [problem for number in range(times) for problem in filled(work, number, chance)]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False, capture_output=True)


def filled(work: Path, number: int, chance: random.Random) -> list[str]:
    """What was wrong after one refresh on the full disk."""
    path, docs, ballast = work / "disk" / "index", work / f"docs{number}", work / "disk" / "ballast"
    docs.mkdir()
    folder, reader = Folder(docs, chance), Index.create(path, Hashed())
    folder.change()
    refresh([docs], reader, Hashed())
    held, before, index = len(reader.snapshot()), folder.change(), Index.open(path)
    problems = []
    try:
        index.counts()
        ballast.write_bytes(bytes(max(0, shutil.disk_usage(path).free - chance.randrange(ROOM))))
        with suppress(StorageFailed):
            refresh([docs], index, Hashed())
        if not len(reader.snapshot()) and held:
            problems.append("the reader finds nothing")
    except Exception as error:  # noqa: BLE001 - that there is no other is what is measured
        problems.append(repr(error))
    ballast.unlink(missing_ok=True)
    problems += state(path, folder, before)
    refresh([docs], index, Hashed())
    problems += [f"after that {problem}" for problem in state(path, folder, folder.versions)]
    for opened in (index, reader):
        opened.close()
    shutil.rmtree(path)
    return [f"filling {number}: {problem}" for problem in problems]


def jumping_clock(work: Path) -> list[str]:
    """A file that changes while the clock stands in the past, then in the future: whether the index follows."""
    (work / "docs").mkdir(parents=True)
    file, problems = work / "docs" / "a.txt", []
    index = Index.create(work / "index", Hashed())
    try:
        for number, moment in enumerate((time.time(), 1.0, 4e9)):
            file.write_text(f"zebra version{number}\n", encoding="utf-8")
            os.utime(file, (moment, moment))
            refresh([work / "docs"], index, Hashed())
            (document,) = index.documents()
            if f"version{number}" not in document.text:
                problems.append(f"a change dated {moment:.0f} was not seen")
        return problems
    finally:
        index.close()


def processes() -> ForkServerContext:
    """Processes that start in milliseconds, and take over no connection and no thread."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["eval.faults"])
    return context


def timed(work: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def child(work: Callable[..., None], *given: object) -> ForkServerProcess:
    """A process that does it."""
    process = processes().Process(target=work, args=given, daemon=True)
    process.start()
    return process


def _refresh(path: Path, folder: Path) -> None:
    index = Index.open(path)
    while True:
        try:
            refresh([folder], index, Hashed())
            return
        except PasserineError:
            time.sleep(0.05)  # another refresh runs


def _read(path: Path, stop: Event, errors: "Queue[str]") -> None:
    index = Index.open(path)
    while not stop.is_set():
        try:
            snapshot = index.snapshot()
            rows, _ = snapshot.lexical.top(ASKED, 20)
            index.catalogue.passages(snapshot.keys[rows].tolist())
        except Exception as error:  # noqa: BLE001 - any is what is looked for
            errors.put(repr(error))
        time.sleep(0.002)
