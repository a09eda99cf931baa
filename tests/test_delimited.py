"""CSV and TSV files, whatever delimiter and encoding the program that wrote them chose."""

from datetime import UTC, datetime

import pytest

from indexing.extract import extract_page

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def text(data: bytes) -> str:
    (found,) = extract_page(data, "https://example.org/machines.csv", "s", "k", NOON, kind="csv")
    return found.document.text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_delimiter_is_found(delimiter: str, encoding: str) -> None:
    rows = [["Gerät", "Größe", "Preis"], ["Kran", "3,5", "12.50"], ["Bühne", "4,5", "7.00"]]
    data = "\r\n".join(delimiter.join(f'"{c}"' if delimiter in c else c for c in row) for row in rows)
    assert (
        text(data.encode(encoding)) == "Gerät: Kran; Größe: 3,5; Preis: 12.50.\nGerät: Bühne; Größe: 4,5; Preis: 7.00."
    )


def test_a_line_that_names_the_delimiter_is_obeyed() -> None:
    assert text(b"sep=;\nName;Note;Age\nAda;a, b, c, d;3") == "Name: Ada; Note: a, b, c, d; Age: 3."


def test_quoted_cells_hold_delimiters_and_lines() -> None:
    assert text(b'Name,Note,Age\nAda,"one, two\nthree ""3""",36\n') == 'Name: Ada; Note: one, two three "3"; Age: 36.'


def test_a_quotation_mark_that_is_not_closed_loses_no_row() -> None:
    found = text(b'Name,Size,Age\nAda,"5 inch,36\nBo,7 inch,40\n')
    assert found == 'Name: Ada; Size: "5 inch; Age: 36.\nName: Bo; Size: 7 inch; Age: 40.'


def test_titles_above_the_names_of_the_columns_stay() -> None:
    assert (
        text(b"Machines 2026,,\n,,\nName,Depot,Age\nLift,Leeds,3\n")
        == "Machines 2026\nName: Lift; Depot: Leeds; Age: 3."
    )


def test_rows_without_names_stand_as_they_are() -> None:
    assert text(b"1,2,3\n4,5,6\n") == "1 | 2 | 3\n4 | 5 | 6"
    assert text(b"Ada\nBo\n") == "Ada\nBo"
