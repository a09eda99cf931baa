"""The data folder: read as it is described, refused when it is not what the catalogue says."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from eval import datasets
from indexing.types import BadInput


def put(data: Path, name: str, content: str) -> None:
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def seal(data: Path) -> None:
    """Write the catalogue of what lies there."""
    files = [path for path in data.rglob("*") if path.is_file() and path.name != "catalogue.json"]
    table = [
        {"file": str(path.relative_to(data)), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in files
    ]
    (data / "catalogue.json").write_text(json.dumps(table))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    docs = lines({"id": "d1", "title": "Rhine", "text": "A river."}, {"id": "d2", "title": "Moon", "text": "A body."})
    put(folder, "retrieval/squad-ir/docs.jsonl.gz", docs)
    queries = lines(
        {"id": "q1", "text": "Which river?", "split": "test"},
        {"id": "q2", "text": "Which body?", "split": "train"},
        {"id": "q3", "text": "Judged nowhere?", "split": "test"},
    )
    put(folder, "retrieval/squad-ir/queries.jsonl.gz", queries)
    put(folder, "retrieval/squad-ir/qrels.test.tsv", "query-id\tdoc-id\tscore\nq1\td1\t1\nq1\td2\t0\n")
    put(folder, "retrieval/squad-ir/qrels.train.tsv", "query-id\tdoc-id\tscore\nq2\td2\t1\n")
    question = {"id": "1", "lang": "zh", "title": "月", "context": "月是天体。", "question": "何？", "answerable": True}
    put(folder, "qa/drcd.test.jsonl.gz", lines({**question, "answers": ["天体"], "doc_id": "m-1", "source": "x"}))
    seal(folder)
    return folder


def test_a_collection_holds_the_queries_of_its_split_with_a_relevant_document(data: Path) -> None:
    test = datasets.collection(data, "squad-ir")
    assert [entry.id for entry in test.entries] == ["d1", "d2"]
    assert dict(test.queries) == {"q1": "Which river?"}
    assert test.relevant == {"q1": {"d1": 1.0}}
    assert test.groups == {"q1": "d1"}
    assert dict(datasets.collection(data, "squad-ir", "train").queries) == {"q2": "Which body?"}


def test_questions_are_read_with_their_passage(data: Path) -> None:
    (question,) = datasets.questions(data, "drcd.test")
    assert (question.language, question.answers, question.passage_id) == ("zh", ("天体",), "m-1")


def test_a_folder_without_a_catalogue_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no catalogue\.json.*--data"):
        datasets.collection(tmp_path / "nothing", "squad-ir")


def test_a_changed_file_is_named(data: Path) -> None:
    put(data, "qa/drcd.test.jsonl.gz", lines({"id": "2"}))
    with pytest.raises(BadInput, match=r"drcd\.test\.jsonl\.gz differs from its checksum"):
        datasets.questions(data, "drcd.test")


def test_a_missing_file_is_named(data: Path) -> None:
    (data / "qa/drcd.test.jsonl.gz").unlink()
    with pytest.raises(BadInput, match=r"drcd\.test\.jsonl\.gz is missing"):
        datasets.questions(data, "drcd.test")


def test_an_unlisted_file_an_unknown_collection_and_an_unknown_split_are_refused(data: Path) -> None:
    with pytest.raises(BadInput, match="does not list"):
        datasets.leads(data)
    with pytest.raises(BadInput, match="no collection trec"):
        datasets.collection(data, "trec")
    with pytest.raises(BadInput, match="no split dev"):
        datasets.collection(data, "squad-ir", "dev")


def test_a_sample_takes_every_article_in_turn_and_never_moves() -> None:
    def asked(i: int, title: str) -> datasets.Question:
        return datasets.Question(str(i), "en", title, "", "", "?", (), False)

    pool = [asked(i, "large" if i < 90 else "small") for i in range(100)]
    chosen = datasets.stratified(pool, 10)
    assert sorted(question.title for question in chosen) == ["large"] * 5 + ["small"] * 5
    assert datasets.stratified(pool[::-1], 10) == chosen
    assert len(datasets.stratified(pool, 95)) == 95
    assert datasets.stratified(pool, None) == pool
