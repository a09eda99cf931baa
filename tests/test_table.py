"""Passages in a Lance table: commits, kills, two writers, and the same answers as an index folder."""

import multiprocessing
import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from indexing import dense, lists
from indexing.refresh import add_documents, refresh
from indexing.search import Searcher
from indexing.segment import Segment
from indexing.shard import LocalShards, Shard
from indexing.store import Index
from indexing.table import Table
from indexing.table_rows import Place
from indexing.types import Document, EncoderMismatch, Filters, Hit, IndexDamaged, IndexMissing, NotFound, Query
from tests.hashing import HashingEncoder, document

pytest.importorskip("lance", reason="the extra `cluster` is not installed")

WORDS = [f"word{i}" for i in range(150)]


def collection(count: int, seed: int = 0) -> list[Document]:
    """Documents of a few sentences of drawn words, frequent and rare ones."""
    draw, documents = random.Random(seed), []
    for i in range(count):
        lines = [" ".join(WORDS[int(len(WORDS) * draw.random() ** 2)] for _ in range(40)) for _ in range(11)]
        documents.append(
            document(
                f"d{i:03}",
                ".\n\n".join(lines) + ".",
                title=draw.choice(WORDS),
                source=draw.choice("ab"),
                published_at=datetime(2000 + draw.randrange(20), 1, 1, tzinfo=UTC) if i % 3 else None,
                metadata={"kind": draw.choice(["it's", "plain"])},
                language="en",
            )
        )
    return documents


@pytest.fixture
def table(tmp_path: Path, hashing: HashingEncoder) -> Table:
    return Table.create(Place(str(tmp_path / "table")), hashing)


def state(table: Table) -> tuple[list[str], int]:
    """(ids of all documents, number of passages) as the stored rows have them."""
    rows = Table.open(table.place)._now().rows(["kind", "key", "id"], "kind IN ('document', 'passage')")
    passages = [row["id"] for row in rows if row["kind"] == "passage"]
    assert len(set(passages)) == len(passages)
    return sorted(row["key"] for row in rows if row["kind"] == "document"), len(passages)


def plain(hits: list[Hit]) -> list[tuple[object, ...]]:
    return [(h.passage, h.document.text, h.document.metadata, h.score, h.lexical, h.dense) for h in hits]


def test_large_fragments_are_searched_by_lists(
    tmp_path: Path, index: Index, table: Table, hashing: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (index, table):
        add_documents(collection(12), each, hashing)
    monkeypatch.setattr(lists, "LARGE", 20)
    monkeypatch.setattr(dense, "_FEW", 5)
    kept = tmp_path / "cache"
    one = Searcher(index, hashing)
    several = Searcher(Table.open(table.place, LocalShards([Shard(table.place, kept)])), hashing)
    queries = [Query(word) for word in WORDS[:5]]
    found = [plain(hits) for hits in several.search_many(queries, 5)]
    assert found == [plain(hits) for hits in one.search_many(queries, 5)], "all lists of so few are looked into"
    assert any(Segment.open(path).lists for path in kept.glob("*.seg"))


def test_same_answers_as_an_index_folder(tmp_path: Path, index: Index, table: Table, hashing: HashingEncoder) -> None:
    documents = collection(90)
    for part in range(0, 90, 15):
        for each in (index, table):
            add_documents(documents[part : part + 15], each, hashing)
    for each in (index, table):
        each.delete(["d003", "d040"])
        add_documents(
            [document("d010", "word1 word2 rewritten", source=documents[10].source, language="en")], each, hashing
        )
    shards = LocalShards([Shard(table.place, tmp_path / f"cache{i}") for i in range(3)])
    one, several = Searcher(index, hashing), Searcher(Table.open(table.place, shards), hashing)
    assert table.counts().passages == index.counts().passages > 250
    draw = random.Random(1)
    chosen = [
        Filters(),
        Filters(sources=("b",)),
        Filters(published_from=datetime(2010, 1, 1), published_to=datetime(2015, 1, 1, tzinfo=UTC)),
        Filters(metadata={"kind": "it's"}, languages=("en",)),
        Filters(sources=("nowhere",)),
    ]
    for filters in chosen:
        queries = [Query(" ".join(draw.choices([*WORDS, "nonsense"], k=n))) for n in (1, 3, 8, 1, 3, 8)]
        found = [plain(hits) for hits in several.search_many(queries, 10, filters)]
        assert found == [plain(hits) for hits in one.search_many(queries, 10, filters)]
        assert any(found) or filters.sources == ("nowhere",)
        assert several.faceted(queries[2], 10, filters)[1] == one.faceted(queries[2], 10, filters)[1]
        like = index.passages("d030")[1].id
        assert plain(several.similar(like, 10, filters)) == plain(one.similar(like, 10, filters))
    assert {hit.document.id for hit in several.similar(like, 200)}.isdisjoint({"d030"})
    assert several.similar(like, 5)
    new, also_new = (Searcher(each.index, hashing, half_life=400) for each in (one, several))
    first = [hit.passage for hit in new.search(queries[2], 10)]
    assert [hit.passage for hit in also_new.search(queries[2], 10)] == first
    assert first != [hit.passage for hit in one.search(queries[2], 10)]
    again = LocalShards([Shard(table.place, tmp_path / "cache0")])  # other fragments than before, some of them kept
    assert plain(Searcher(Table.open(table.place, again), hashing).search(queries[2], 5)) == plain(
        one.search(queries[2], 5)
    )


def test_view_holds_its_version_while_the_table_changes(table: Table, hashing: HashingEncoder) -> None:
    add_documents(collection(20), table, hashing)
    searcher = Searcher(table, hashing)
    before, asked = table.snapshot(), ["word1 word2"]
    first = searcher.candidates(asked, snapshot=before)[0]
    table.delete([f"d{i:03}" for i in range(0, 20, 2)])
    table.tidy(old=timedelta(days=1))
    then = searcher.candidates(asked, snapshot=before)[0]
    assert then.lexical.keys.tolist() == first.lexical.keys.tolist()
    assert len(table.read(first.lexical.keys.tolist(), before)) == len(first.lexical)
    assert all(int(hit.document.id[1:]) % 2 for hit in searcher.search(Query(asked[0]), 20))


def test_deleted_document_is_never_seen_again(table: Table, hashing: HashingEncoder) -> None:
    for part in range(12):  # a fragment each
        add_documents([document(f"z{part}", f"The zebra number{part} grazes.", language="en")], table, hashing)
    assert table.delete(["z5", "nothing"]) == 1
    for look in range(3):
        hits = Searcher(table, hashing).search(Query("zebra number5"), 20)
        assert {hit.document.id for hit in hits} == {f"z{i}" for i in range(12)} - {"z5"}, look
        table.tidy(old=timedelta())  # joins fragments, removes files
        table = Table.open(table.place)
    assert table.counts().segments == 1
    with pytest.raises(NotFound):
        table.document("z5")


def test_refresh_of_a_folder(tmp_path: Path, table: Table, hashing: HashingEncoder) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.md").write_text(f"# Title {i}\n\nThe lion number{i} sleeps.")
    assert refresh([folder], table, hashing).added == 3
    assert refresh([folder], Table.open(table.place), hashing).same == 3
    (folder / "0.md").unlink()
    (folder / "1.md").write_text("# Title 1\n\nThe lion wakes.")
    table = Table.open(table.place)
    report = refresh([folder], table, hashing)
    assert (report.changed, report.removed, report.same) == (1, 1, 1)
    assert [source.documents for source in table.sources()] == [2]
    named = table.documents(named="TITLE 2")
    assert [each.title for each in named] == ["Title 2"]
    assert table.passages(named[0].id)[0].text in named[0].text
    assert table.languages() == [(named[0].language, 2)]


FORKED = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def preloaded() -> None:
    """Processes of their own begin with everything imported, which takes seconds."""
    FORKED.set_forkserver_preload(["tests.test_table"])


def write(place: Place, seed: int) -> None:
    """Writes the same documents as every other writer, in an order of its own."""
    documents, table = collection(9), Table.open(place)
    random.Random(seed).shuffle(documents)
    for each in documents:
        add_documents([each], table, HashingEncoder())


def test_two_writers_store_each_document_once(table: Table) -> None:
    writers = [FORKED.Process(target=write, args=(table.place, seed)) for seed in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    ids, passages = state(table)
    assert ids == [f"d{i:03}" for i in range(9)]
    assert passages == Table.open(table.place).counts().passages


def rewrite(place: Place, begun: Event) -> None:
    """Replaces all documents by their next edition, in one commit each time, without end."""
    table, encoder = Table.open(place), HashingEncoder()
    for number in range(10**6):
        rows = [document(f"e{i}", f"book{i}, edition{number}", language="en") for i in range(4)]
        add_documents(rows, table, encoder)
        if number == 1:
            begun.set()
        if number % 7 == 6:
            table.tidy(old=timedelta())


def test_killed_writer_leaves_the_last_version(table: Table) -> None:
    for kill in range(4):
        begun = FORKED.Event()
        writer = FORKED.Process(target=rewrite, args=(table.place, begun))
        writer.start()
        assert begun.wait(60)
        time.sleep(random.Random(kill).uniform(0, 0.3))
        assert writer.pid
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        ids, passages = state(table)
        assert (ids, passages) == ([f"e{i}" for i in range(4)], 4)
        found = Table.open(table.place).documents()
        assert len({each.text.partition(", ")[2] for each in found}) == 1  # one edition, of all of them


def test_misspelt_words_are_mended_by_those_of_the_table(table: Table, hashing: HashingEncoder) -> None:
    assert table.did_you_mean("dougj") == ""
    add_documents([document("d", "Knead the Dough.", language="en")], table, hashing)
    assert table.did_you_mean("kneed the dougj") == "knead the dough"


def test_lost_text_is_told_in_one_sentence(table: Table, hashing: HashingEncoder) -> None:
    add_documents([document("d", "Knead the dough.", language="en")], table, hashing)
    table.place.open().delete("kind = 'document'")
    with pytest.raises(IndexDamaged, match="has lost the text of d"):
        Searcher(Table.open(table.place), hashing).search(Query("dough"), 3)


def test_encoder_and_place_are_checked(tmp_path: Path, table: Table) -> None:
    with pytest.raises(EncoderMismatch, match="made with the encoder hashing"):
        Table.create(table.place, HashingEncoder("other"))
    with pytest.raises(IndexMissing, match="no table"):
        Table.open(Place(str(tmp_path / "nowhere")))
