"""Documents written for the reader: in the form they should be, and held out by title."""

from pathlib import Path

import pytest

from indexing.types import BadInput
from models.written import written, written_rows

SMALL = """# The Orne ferry
The ferry crosses the Orne twice a day. Marta Lind paid for it; her brother Olaf built it in 1931.
? Who met the cost of the boat?
= Marta Lind
! Who steered the first crossing?
~ Olaf

# The Orne bridge
It was opened in 1952.
? When could people first walk over?
= 1952
"""


def test_a_question_knows_its_passage_its_answer_and_its_lure(tmp_path: Path) -> None:
    (tmp_path / "en-small.txt").write_text(SMALL, encoding="utf-8")
    paid, steered, opened = written(tmp_path)
    assert (paid.row.article, paid.row.answers, paid.lure) == ("The Orne ferry", ("Marta Lind",), "")
    assert (steered.row.answers, steered.lure) == ((), "Olaf")
    assert paid.row.context == steered.row.context
    assert opened.row.context == "It was opened in 1952."
    assert {one.row.language for one in (paid, steered, opened)} == {"en"}


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("= Marta Lind", "= Marta Lund", "Line 4"),
        ("= Marta Lind", "~ Marta Lind", "Line 4"),
        ("~ Olaf", "! Who else?", "Line 6"),
        ("= 1952\n", "", "no answer"),
        ("It was opened in 1952.", "? Where?", "Line 9"),
    ],
)
def test_a_file_that_is_not_in_form_is_named_with_the_line(tmp_path: Path, line: str, instead: str, told: str) -> None:
    (tmp_path / "en-small.txt").write_text(SMALL.replace(line, instead), encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        written(tmp_path)


def test_what_ships_holds_both_languages_and_keeps_an_eighth_of_its_titles_to_test_with() -> None:
    taught, tested = written_rows(), written_rows(held_out=True)
    assert {row.language for row in taught} == {row.language for row in tested} == {"en", "zh"}
    assert not {row.article for row in taught} & {row.article for row in tested}
    assert 0.06 < len(tested) / (len(taught) + len(tested)) < 0.2
    for rows in (taught, tested):
        unanswered = sum(not row.answers for row in rows) / len(rows)
        assert 0.25 < unanswered < 0.55, "a reader that always answers must be wrong often, one that never does, too"
