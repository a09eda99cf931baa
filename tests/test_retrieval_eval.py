"""Retrieval is measured on the product's own path, and its arithmetic against rank_bm25."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval import datasets
from eval.datasets import Collection
from eval.fusion import PLAIN, Trials, collected, quality
from eval.retrieval import SYSTEMS, Sides, oracle_difference, run_retrieval, scored, sides
from eval.vectors import CachedEncoder, Shelf, digest
from indexing.fusion import Candidates, Fusion, Ranked
from indexing.lexical import Lexical, Parameters
from indexing.postings import Postings
from indexing.tokenize import Analyser
from indexing.types import Encoder, Vectors
from tests.evaluation_data import RIVERS, make_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def test_both_sides_and_their_fusion_find_what_was_asked(data: Path, encoder: Encoder) -> None:
    found = sides(datasets.collection(data, "squad-ir"), encoder)
    result = scored(found, "squad-ir", Fusion())
    assert np.mean(result.values["fused"]["hit@2"]) == 1
    assert set(result.values) == set(SYSTEMS)
    assert result.oracle < 1e-5


def test_distractors_are_searched_and_never_relevant(data: Path, encoder: Encoder) -> None:
    found = sides(datasets.collection(data, "drcd-ir"), encoder, datasets.leads(data))
    assert set(found.ids.values()) == {"yangtze", "yellow", "pearl", "amur", "lead-0", "lead-1"}
    assert all("lead" not in document for wanted in found.relevant() for document in wanted)
    assert any("lead" in document for ranked in found.ranked("vectors", Fusion()) for document in ranked)


def test_the_report_holds_every_collection_system_and_difference(data: Path, encoder: Encoder, tmp_path: Path) -> None:
    report = run_retrieval(data, tmp_path / "home", tmp_path / "out", 2, encoder=encoder)
    names = {name.split("/")[1] for name in report.figures}
    assert {"squad-ir", "squad-ir+leads", "drcd-ir+leads", "cranfield", "cisi", "med", "npl", "nfcorpus"} <= names
    written = json.loads((tmp_path / "out" / "retrieval.json").read_text())
    assert written["figures"]["retrieval/squad-ir/hit@2/fused"]["n"] == 2
    assert written["figures"]["retrieval/squad-ir/hit@2/fused"]["baseline"] is not None
    assert (tmp_path / "out" / "retrieval.png").stat().st_size > 1000
    assert "mean of the collections" in (tmp_path / "out" / "retrieval.md").read_text()


def test_the_arithmetic_check_sees_another_formula() -> None:
    analyser = Analyser()
    passages = [text for _, text in RIVERS.values()]
    postings = Postings.of(analyser.numbered(passages))
    right = Lexical([(postings, None)], Parameters())
    assert oracle_difference(passages, ["the sea of the Rhine"], analyser, right) < 1e-7
    other = Lexical([(postings, None)], Parameters(k1=2.0))
    other.parameters = Parameters()
    assert oracle_difference(passages, ["the sea of the Rhine"], analyser, other) > 1e-3


class Counting:
    """Counts what it is asked to encode; the vectors follow from the text."""

    name, dimension, fingerprint = "counting", 4, "f" * 64

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode_passages(self, texts: list[str]) -> Vectors:
        self.seen += texts
        raw = np.array([[len(text), text.count("a"), text.count("e"), 1] for text in texts], dtype=np.float32)
        return raw / np.linalg.norm(raw, axis=1, keepdims=True)

    encode_queries = encode_passages


def test_a_text_is_encoded_once_and_in_any_order(tmp_path: Path) -> None:
    inner = Counting()
    texts = ["a river", "the sea", "a", "a river"]
    first = CachedEncoder(inner, tmp_path).encode_passages(texts)
    again = CachedEncoder(inner, tmp_path).encode_passages(texts[::-1])
    assert sorted(inner.seen) == sorted(set(texts))
    np.testing.assert_array_equal(first[::-1], again)
    np.testing.assert_allclose(first, Counting().encode_passages(texts), atol=1e-3)


def test_queries_and_passages_are_kept_apart(tmp_path: Path) -> None:
    inner = Counting()
    encoder = CachedEncoder(inner, tmp_path)
    encoder.encode_queries(["sea"])
    encoder.encode_passages(["sea"])
    assert inner.seen == ["sea", "sea"]


def test_a_half_written_end_is_written_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "passages", 4)
    shelf.add([digest("a"), digest("b")], np.eye(4, dtype=np.float32)[:2])
    with shelf.vectors.open("ab") as file:
        file.write(b"\0\0\0")
    shelf.keys.write_bytes(shelf.keys.read_bytes()[:-5])
    opened = Shelf(tmp_path, "passages", 4)
    assert digest("b") not in opened.rows
    opened.add([digest("b")], np.eye(4, dtype=np.float32)[3:])
    np.testing.assert_array_equal(opened.read([digest("b"), digest("a")]), np.eye(4, dtype=np.float32)[[3, 0]])


def test_encoding_stops_at_its_deadline_and_keeps_what_is_done(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="3 of 3"):
        CachedEncoder(Counting(), tmp_path, deadline=0).encode_passages(["a", "b", "c"])


def pretend(name: str, language: str, lexical_is_right: bool) -> Sides:
    """Twenty queries over ten documents where one side is right and the other ranks at random."""
    random = np.random.default_rng(7)
    queries = [f"{name}{i}" for i in range(20)]
    falling = np.linspace(1.0, 0.1, 10, dtype=np.float32)
    found = []
    for i in range(20):
        right, noise = np.roll(np.arange(10), -(i % 10)), random.permutation(10)
        first, second = (right, noise) if lexical_is_right else (noise, right)
        found.append(Candidates(Ranked(first, falling), Ranked(second, falling), 8, language == "zh"))
    relevant = {query: {str(i % 10): 1.0} for i, query in enumerate(queries)}
    collection = Collection(
        name, language, (), dict.fromkeys(queries, ""), relevant, {query: query for query in queries}
    )
    return Sides(collection, {i: str(i) for i in range(10)}, tuple(queries), tuple(found))


def test_the_weights_follow_the_side_that_is_right_in_each_writing() -> None:
    trials = Trials([pretend("english", "en", True), pretend("chinese", "zh", False)])
    best = trials.climb(Fusion(), PLAIN)
    assert best.fusion.latin < 0.5 < best.fusion.cjk
    assert best.mean > trials.step(Fusion()).mean


def test_a_collection_held_out_does_not_choose_its_own_weights() -> None:
    agree = [pretend("a", "en", True), pretend("b", "en", True), pretend("odd", "en", False)]
    apart = Trials(agree).held_out(PLAIN)
    assert apart["odd"] < np.mean(quality(agree[2], Fusion(latin=0.7)))


def test_documents_of_one_text_are_one() -> None:
    entry = datasets.Entry("1", "", "The same fact.", "en")
    made = collected("facts", "en", [("One?", [entry]), ("Two?", [datasets.Entry("2", "", "The same fact.", "en")])])
    assert [one.id for one in made.entries] == ["1"]
    assert made.relevant == {"facts-q0": {"1": 1.0}, "facts-q1": {"1": 1.0}}
