"""Did you mean: what is misspelt is mended by the index's own words, what is right is left alone."""

from pathlib import Path

import pytest

from eval.spelling import run_spelling
from indexing.refresh import add_documents
from indexing.spelling import Vocabulary, did_you_mean, distance
from indexing.store import Index
from tests.hashing import HashingEncoder, document


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [("moon", "moon", 0), ("mon", "moon", 1), ("mooon", "moon", 1), ("mono", "moon", 1), ("noom", "moon", 2),
     ("apollo", "lunar", 3), ("landing", "landings", 1)],
)  # fmt: skip
def test_a_swap_of_neighbours_is_one_edit(a: str, b: str, edits: int) -> None:
    assert distance(a, b, 2) == distance(b, a, 2) == edits


def test_only_what_is_absent_or_rare_is_replaced_by_what_is_far_commoner() -> None:
    counts: dict[str, int | None] = {"lunar": 900, "lunor": 40, "orbit": 30, "orbits": 30, "with": None, "berth": 1}
    words = Vocabulary.of([" ".join(counts)])
    asked = [("Lunra orbit", 5000), ("lunar orbti", 5000), ("witth", 5000), ("berht", 5000), ("GPT-Lunra 4x", 5000)]
    found = [did_you_mean(query, words, lambda word: counts.get(word, 0), size) for query, size in asked]
    assert found == ["Lunar orbit", "lunar orbit", "", "", ""]
    assert did_you_mean("berht", words, lambda word: counts.get(word, 0), 100) == "berth"
    assert did_you_mean("lunor", words, lambda word: counts.get(word, 0), 5000) == "", "it stands there too often"
    assert did_you_mean("月球 zzzzz", words, lambda word: counts.get(word, 0), 5000) == ""


def test_an_index_mends_by_what_it_holds_now(index: Index, hashing: HashingEncoder) -> None:
    assert index.did_you_mean("dougj") == ""
    add_documents([document("d", "Knead the Dough.", language="en")], index, hashing)
    assert index.did_you_mean("kneed the dougj") == "knead the dough"
    assert index.did_you_mean("kneads the dough") == "", "another form of a word is the word"
    add_documents([document("e", "The harbour.", language="en")], index, hashing)
    assert index.did_you_mean("Harbuor") == "Harbour"
    index.delete(["e"])
    assert index.did_you_mean("Harbuor") == ""


def test_slips_are_mostly_mended_and_right_questions_left_alone(tmp_path: Path) -> None:
    figures = run_spelling(tmp_path).figures
    assert figures["spelling/slips mended"].value > 0.8
    assert all(figure.value > 0.9 for name, figure in figures.items() if "left alone" in name)
    assert (tmp_path / "spelling.json").is_file()
