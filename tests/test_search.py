"""Queries -> Hits: both sides, filters before ranking, no near-duplicates, a cap per document."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexing.dense import TorchEngine
from indexing.fusion import Fusion
from indexing.refresh import add_documents
from indexing.search import Searcher, overlap
from indexing.store import Index
from indexing.types import Document, Encoder, EncoderMismatch, Facets, Filters, NotFound, Query, Retriever
from tests.hashing import HashingEncoder, document

FACTS = {
    "apollo": "Apollo 11 was the first mission to land people on the Moon, in July 1969.",
    "shuttle": "航天飞机是美国设计的可重复使用的载人飞船，一九八一年首次飞行。",
    "station": "國際太空站是在低地球軌道上運行的太空實驗室，由多國合作建造。",
    "kitchen": "To bake bread, knead the dough, let it rise for an hour and heat the oven.",
    "orchard": "Apple trees are pruned in late winter, before their buds open.",
    "harbour": "The harbour master assigns a berth to every ship that enters the port.",
}


def filled(folder: Path, encoder: Encoder, documents: list[Document]) -> Index:
    index = Index.create(folder / "index", encoder)
    add_documents(documents, index, encoder)
    return index


@pytest.fixture
def facts(tmp_path: Path, hashing: HashingEncoder) -> Index:
    return filled(tmp_path, hashing, [document(key, text) for key, text in FACTS.items()])


def ids(searcher: Searcher, question: str, filters: Filters | None = None, k: int = 5) -> list[str]:
    return [hit.document.id for hit in searcher.search(Query(question), k, filters or Filters())]


def test_is_a_retriever(facts: Index, hashing: HashingEncoder) -> None:
    retriever: Retriever = Searcher(facts, hashing)
    hits = retriever.search(Query("Who landed on the Moon?"), 3)
    assert hits[0].document.id == "apollo"
    assert hits[0].passage.text == FACTS["apollo"]
    assert hits[0].document.text[hits[0].passage.start : hits[0].passage.end] == hits[0].passage.text
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 < hit.score <= 1 for hit in hits)
    assert all(hit.lexical is None or hit.lexical > 0 for hit in hits)
    assert all(hit.lexical is not None or hit.dense is not None for hit in hits)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("太空站在哪里运行", "station"),
        ("太空站在哪裡運行", "station"),
        ("航天飛機", "shuttle"),
        ("航天飞机", "shuttle"),
        ("船", "shuttle"),
    ],
)
def test_either_chinese_writing_finds_the_other_by_its_words(
    facts: Index, hashing: HashingEncoder, question: str, expected: str
) -> None:
    hits = Searcher(facts, hashing, Fusion(latin=0, cjk=0)).search(Query(question), 3)
    assert hits[0].document.id == expected
    assert hits[0].lexical is not None


def test_the_real_encoder_finds_by_meaning_across_languages(tmp_path: Path, encoder: Encoder) -> None:
    index = filled(tmp_path, encoder, [document(key, text) for key, text in FACTS.items()])
    searcher = Searcher(index, encoder)
    assert ids(searcher, "What do gardeners cut in the cold season?")[0] == "orchard"
    assert ids(searcher, "怎样烤面包？")[0] == "kitchen"
    assert ids(searcher, "Wer landete zuerst auf dem Mond?")[0] == "apollo"
    hit = searcher.search(Query("How do I make a loaf?"), 1)[0]
    assert hit.dense is not None
    assert 0 < hit.dense <= 1


def test_many_queries_answer_as_each_alone(facts: Index, hashing: HashingEncoder) -> None:
    searcher = Searcher(facts, hashing)
    queries = [Query("the Moon"), Query("  "), Query("bread"), Query("港口 ship")]
    together = searcher.search_many(queries, 4)
    assert together == [searcher.search(query, 4) for query in queries]
    assert together[1] == []


def test_the_same_question_gets_the_same_answer_from_either_engine(facts: Index, hashing: HashingEncoder) -> None:
    one, other = Searcher(facts, hashing), Searcher(facts, hashing, engine=TorchEngine())
    for question in ("the Moon", "bread oven", "who is who", "?!", "船"):
        assert ids(one, question) == ids(one, question) == ids(other, question)


def test_what_is_not_seen_does_not_count_for_the_rank(facts: Index, tmp_path: Path, hashing: HashingEncoder) -> None:
    aside = "Whoever reads this bakes bread, prunes trees and lands ships in the harbour."
    texts = FACTS | {"apollo": f"{FACTS['apollo']} {aside}", "station": f"{aside} {FACTS['station']}"}
    other = filled(tmp_path / "other", hashing, [document(key, text) for key, text in texts.items()])
    plain, whole = Searcher(facts, hashing), Searcher(other, hashing)
    seeing = whole.seeing(lambda text, _: text.replace(aside, "").strip())
    for question in ("first mission to the Moon", "太空實驗室", "bake bread", "船"):
        scores, cut = (
            {hit.document.id: hit.score for hit in one.search(Query(question), 3)} for one in (plain, seeing)
        )
        assert list(cut) == list(scores)
        assert cut == pytest.approx(scores, abs=0.05), "only the statistics of the words differ"
    lexical = [{hit.document.id: hit.lexical for hit in one.search(Query("bake bread"), 6)} for one in (whole, seeing)]
    assert [scores["apollo"] is None for scores in lexical] == [False, True]


def test_an_empty_index_has_no_hits(tmp_path: Path, hashing: HashingEncoder) -> None:
    assert Searcher(Index.create(tmp_path / "index", hashing), hashing).search(Query("anything"), 5) == []


def test_a_question_of_function_words_finds_them(tmp_path: Path, hashing: HashingEncoder) -> None:
    texts = ["Who is who in the house.", "Bread and butter.", "Rome was not built in a day."]
    index = filled(tmp_path, hashing, [document(f"d{i}", text) for i, text in enumerate(texts)])
    hits = Searcher(index, hashing).search(Query("who is who?"), 3)
    assert hits[0].document.id == "d0"
    assert hits[0].lexical is not None


def test_a_deleted_document_is_in_no_later_answer(facts: Index, hashing: HashingEncoder) -> None:
    searcher = Searcher(facts, hashing)
    assert "apollo" in ids(searcher, "the Moon")
    Index.open(facts.folder).delete(["apollo"])
    assert "apollo" not in ids(searcher, "the Moon", k=100)
    assert all(hit.document.id != "apollo" for hit in searcher.search(Query(FACTS["apollo"]), 100))


def test_filters_apply_before_ranking(tmp_path: Path, hashing: HashingEncoder) -> None:
    """150 better passages outside of the filter leave no room for one that is ranked before it is filtered."""
    crowd = [document(f"c{i}", f"zebra zebra zebra number{i}", language="en") for i in range(150)]
    wanted = document(
        "wanted",
        "One zebra among many other words of no interest to anyone at all.",
        language="zh",
        source="special",
        published_at=datetime(2024, 5, 1, tzinfo=UTC),
        metadata={"tag": "rare"},
    )
    searcher = Searcher(filled(tmp_path, hashing, [*crowd, wanted]), hashing)
    assert "wanted" not in ids(searcher, "zebra")
    for filters in (
        Filters(languages=("zh",)),
        Filters(sources=("special",)),
        Filters(metadata={"tag": "rare"}),
        Filters(published_from=datetime(2024, 1, 1, tzinfo=UTC)),
    ):
        hits = searcher.search(Query("zebra"), 5, filters)
        assert [hit.document.id for hit in hits] == ["wanted"]
        assert hits[0].lexical is not None
        assert hits[0].dense is not None
    assert ids(searcher, "zebra", Filters(sources=("nowhere",))) == []


def test_a_filter_sees_the_next_commit(facts: Index, hashing: HashingEncoder) -> None:
    searcher = Searcher(facts, hashing)
    assert ids(searcher, "zebra", Filters(sources=("late",))) == []
    add_documents([document("z", "A zebra.", source="late")], facts, hashing)
    assert ids(searcher, "zebra", Filters(sources=("late",))) == ["z"]


def test_near_duplicates_are_shown_once_and_the_newer_stays(tmp_path: Path, hashing: HashingEncoder) -> None:
    text = "The zebra grazes on the wide plains of the south until the dry season begins, then it moves to the river. "
    old = document("old", text * 3 + "Page 1.", published_at=datetime(2019, 1, 1))
    new = document("new", text * 3 + "Page 2.", published_at=datetime(2023, 1, 1))
    other = document("other", "A zebra in the zoo eats hay from a rack every morning.")
    searcher = Searcher(filled(tmp_path, hashing, [old, new, other]), hashing)
    found = ids(searcher, "zebra plains page 1")
    assert sorted(found) == ["new", "other"]


def test_at_most_two_passages_of_a_document_unless_told(tmp_path: Path, hashing: HashingEncoder) -> None:
    parts = [f"# Part {i}\n\n" + f"The zebra of herd{i} lives by river{i} near hill{i}. " * 25 for i in range(6)]
    given = [document("long", "\n\n".join(parts)), document("short", "Also a zebra.")]
    index = filled(tmp_path, hashing, given)
    found = ids(Searcher(index, hashing), "zebra river", k=10)
    assert (found.count("long"), found.count("short")) == (2, 1)
    assert ids(Searcher(index, hashing, per_document=1), "zebra river", k=10).count("long") == 1
    assert ids(Searcher(index, hashing, per_document=0), "zebra river", k=10).count("long") > 2


def test_candidates_can_be_fused_again_with_other_weights(facts: Index, hashing: HashingEncoder) -> None:
    searcher = Searcher(facts, hashing)
    vectors = hashing.encode_queries(["the Moon", "航天飞机"])
    first, second = searcher.candidates(["the Moon", "航天飞机"], vectors=vectors)
    assert (first.cjk, second.cjk) == (False, True)
    assert first.tokens == 1
    assert len(first.dense) == len(FACTS)
    assert 0 < first.coverage < 1
    assert facts.catalogue.passages([int(first.lexical.keys[0])]).popitem()[1][1].id == "apollo"


def test_a_foreign_encoder_is_refused(facts: Index) -> None:
    with pytest.raises(EncoderMismatch, match="hashing"):
        Searcher(facts, HashingEncoder("other"))


def test_overlap_is_the_share_of_common_stretches() -> None:
    assert overlap("The same text, twice.", "the SAME text twice") == 1
    assert overlap("One sentence about bread.", "Quite another matter here.") == 0
    assert overlap("", "") == 1
    assert overlap("短", "长") == 0


def dated(key: str, text: str, days: float | None, **fields: object) -> Document:
    moment = None if days is None else datetime.now(UTC) - timedelta(days=days)
    return document(key, text, published_at=moment, **{"language": "en", **fields})


def test_new_documents_are_preferred_where_that_is_set(tmp_path: Path, hashing: HashingEncoder) -> None:
    texts = {"old": "zebra one grazes", "new": "zebra two grazes", "undated": "zebra three grazes"}
    days = {"old": 5000, "new": 1, "undated": None}
    index = filled(tmp_path, hashing, [dated(key, texts[key], days[key]) for key in texts])
    plain = Searcher(index, hashing, per_document=0)
    fresh = Searcher(index, hashing, per_document=0, half_life=100).seeing(None)
    assert ids(plain, "zebra one")[0] == "old"
    assert ids(fresh, "zebra") == ["new", "undated", "old"]
    before, after = ({h.document.id: h.score for h in each.search(Query("zebra one"), 3)} for each in (plain, fresh))
    assert after["new"] == pytest.approx(before["new"] * (0.5 + 0.5 * 2**-0.01), rel=1e-3)
    assert after["old"] == pytest.approx(before["old"] / 2, rel=1e-3)
    assert after["undated"] == pytest.approx(before["undated"] * 0.75, rel=1e-3)


def test_facets_count_the_documents_found(tmp_path: Path, hashing: HashingEncoder) -> None:
    long = "zebra grazes. " * 400
    given = [
        dated("a", long, None, source="s", language="en"),
        document("b", "zebra", source="s", language="zh", published_at=datetime(2020, 5, 1, tzinfo=UTC)),
        document("c", "zebra", source="t", language="zh", published_at=datetime(2021, 5, 1, tzinfo=UTC)),
    ]
    searcher = Searcher(filled(tmp_path, hashing, given), hashing)
    _, facets = searcher.faceted(Query("zebra"), 1)
    assert facets == Facets({"s": 2, "t": 1}, {"zh": 2, "en": 1}, {"2020": 1, "2021": 1})
    assert searcher.faceted(Query("zebra"), 1, Filters(sources=("t",)))[1].source == {"t": 1}
    assert searcher.faceted(Query(" "), 1) == ([], Facets())


def test_more_like_a_passage_comes_from_other_documents(tmp_path: Path, hashing: HashingEncoder) -> None:
    texts = {
        "bread": "Knead the dough, let it rise and heat the oven.",
        "rolls": "For rolls the dough is kneaded twice, then baked in a hot oven.",
        "ship": "The harbour master assigns a berth to every ship.",
    }
    index = filled(tmp_path, hashing, [document(key, text, source=key) for key, text in texts.items()])
    searcher, (passage,) = Searcher(index, hashing), index.passages("bread")
    assert [hit.document.id for hit in searcher.similar(passage.id, 1)] == ["rolls"]
    assert [hit.document.id for hit in searcher.similar(passage.id, 3, Filters(sources=("ship", "bread")))] == ["ship"]
    with pytest.raises(NotFound):
        searcher.similar("nothing", 3)


def test_a_filter_used_before_sees_what_was_added_and_removed_since(tmp_path: Path, hashing: HashingEncoder) -> None:
    index = filled(tmp_path, hashing, [document(f"d{i}", "zebra", metadata={"n": f"{i % 2}"}) for i in range(6)])
    searcher, odd = Searcher(index, hashing, per_document=0), Filters(metadata={"n": "1"})

    def held() -> list[str]:
        rows, _ = index.snapshot().lexical.top(["zebra"], 10, index.admitted(odd, index.snapshot()))
        return sorted(
            document.id for _, document in index.catalogue.passages(index.snapshot().keys[rows].tolist()).values()
        )

    assert held() == ["d1", "d3", "d5"]
    index.delete(["d3"])
    changed = [document("d0", "zebra now", metadata={"n": "1"}), document("d5", "zebra now", metadata={"n": "2"})]
    add_documents([*changed, document("d7", "zebra", metadata={"n": "1"})], index, hashing)
    assert held() == ["d0", "d1", "d7"]
    assert {hit.document.id for hit in searcher.search(Query("zebra"), 9, odd)} <= {"d0", "d1", "d7"}
