"""What a document says of its tables: each row a line in which every cell carries the name of its column."""

from datetime import UTC, datetime
from io import BytesIO

import docx
import pytest
from docx.oxml import OxmlElement

from indexing.extract import Extracted, extract_page
from indexing.formats.tables import cells, lines

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LIMITS = [["City", "Hotel limit", "Meals"], ["London", "£165", "£38"], ["Other towns", "£95", "none."]]
NAMED = "City: London; Hotel limit: £165; Meals: £38.\nCity: Other towns; Hotel limit: £95; Meals: none."


def read(kind: str, data: str | bytes) -> Extracted:
    body = data.encode() if isinstance(data, str) else data
    (found,) = extract_page(body, f"https://example.org/limits.{kind}", "s", "k", NOON, kind=kind)
    return found


def text(kind: str, data: str | bytes) -> str:
    return read(kind, data).document.text


def markdown(rows: list[list[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def html(rows: list[list[str]], tag: str = "td") -> str:
    head = "".join(f"<{tag}>{cell}</{tag}>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<main><p>Limits:</p><table><tr>{head}</tr>{body}</table></main>"


def word(rows: list[list[str]], repeated: int = 0) -> bytes:
    """A Word document of one table; `repeated` of its rows are marked as its header."""
    document = docx.Document()
    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    for number, (row, texts) in enumerate(zip(table.rows, rows, strict=True)):
        if number < repeated:
            row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        for cell, said in zip(row.cells, texts, strict=True):
            cell.text = said
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def given(rows: list[list[str]]) -> list[str]:
    return lines([cells(row) for row in rows])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("markdown", markdown(LIMITS)),
        ("html", html(LIMITS)),
        ("html", html(LIMITS, "th")),
        ("docx", word(LIMITS)),
        ("csv", "\n".join(",".join(row) for row in LIMITS)),
        ("text", "\n".join("\t".join(row) for row in LIMITS)),
        ("text", markdown(LIMITS)),
    ],
)
def test_every_cell_carries_the_name_of_its_column(kind: str, data: str | bytes) -> None:
    found = text(kind, data).removeprefix("Limits:\n\n")
    assert found == NAMED


def test_a_chinese_table_has_chinese_marks() -> None:
    rows = [["城市", "酒店上限", "备注"], ["伦敦", "165", ""], ["巴黎", "150", "含早餐。"]]
    assert text("markdown", markdown(rows)) == "城市：伦敦；酒店上限：165。\n城市：巴黎；酒店上限：150；备注：含早餐。"


def test_a_column_without_a_name_gives_none() -> None:
    rows = [["", "Hotel limit"], ["London", "£165"], ["Leeds; York", "£105"]]
    assert text("markdown", markdown(rows)) == "London; Hotel limit: £165.\nLeeds; York; Hotel limit: £105."
    assert given([["", "Day", "Week"], ["Lift", "£92", "£368"]]) == ["Lift; Day: £92; Week: £368."]


def test_breaks_in_a_cell_become_spaces() -> None:
    assert (
        text("markdown", "| City | Meals |\n|--|--|\n| London<br>centre | £38 |") == "City: London centre; Meals: £38."
    )


def test_a_row_with_its_first_cell_alone_is_a_title() -> None:
    assert given([["Prices", "", ""], ["Machine", "Day", "Week"], ["Lifts", "", ""], ["S8", "£92", "£368"]]) == [
        "Prices",
        "Lifts",
        "Machine: S8; Day: £92; Week: £368.",
    ]


@pytest.mark.parametrize(
    "first",
    [
        ["London", "£165", "per night"],
        ["London", "2026-01-31", "per night"],
        ["London", "31 May 2026", "per night"],
        ["London", "12.5 kg", "per night"],
        ["yes", "yes", "no"],
        ["London", "", "per night"],
        ["London", "a text that is too long for the name of any column, however wide it may be", "per night"],
    ],
)
def test_what_does_not_name_columns_is_no_header(first: list[str]) -> None:
    assert given([first, ["Leeds", "£105", "per week"]]) == [" | ".join(first), "Leeds | £105 | per week"]


def test_names_with_what_they_say_have_no_header() -> None:
    assert given([["Weight", "120 kg"], ["Colour", "red"]]) == ["Weight: 120 kg.", "Colour: red."]
    assert given([["负责人：", "丁国强"], ["电话", "0571-8890"]]) == ["负责人：丁国强。", "电话：0571-8890。"]
    form = [["Name", "Ada Lind"], ["Born", "3 May 1990"], ["Department", "Pumps"]]
    assert given(form) == ["Name: Ada Lind.", "Born: 3 May 1990.", "Department: Pumps."]
    assert text("markdown", markdown([["", ""], ["Name", "Ada Lind"], ["Age", "36"]])) == "Name: Ada Lind.\nAge: 36."


def test_two_columns_of_words_and_figures_have_a_header() -> None:
    assert given([["Part", "kg"], ["Helmet", "4"], ["Gloves", "1"]]) == ["Part: Helmet; kg: 4.", "Part: Gloves; kg: 1."]


def test_rows_of_html_that_begin_with_their_name() -> None:
    rows = "<tr><th>Weight</th><td>heavy</td></tr><tr><th scope=row>Height</th><td>tall</td></tr>"
    assert text("html", f"<main><p>Lift</p><table>{rows}</table></main>") == "Lift\n\nWeight: heavy.\nHeight: tall."


def test_cells_that_span_others_do_not_shift_the_columns() -> None:
    rows = """<tr><th rowspan=2>City</th><th colspan=2>Limits</th></tr><tr><th>Hotel</th><th>Meals</th></tr>
        <tr><td rowspan=2>London</td><td>£165</td><td>£38</td></tr><tr><td colspan=2>£100</td></tr>"""
    assert text("html", f"<main><p>Limits</p><table>{rows}</table></main>").split("\n")[2:] == [
        "City: London; Limits Hotel: £165; Limits Meals: £38.",
        "City: London; Limits Hotel, Limits Meals: £100.",
    ]


def test_rows_that_word_repeats_on_each_page_are_the_header() -> None:
    rows = [["Depot", "2024", "2025"], ["Leeds", "4", "5"]]
    assert text("docx", word(rows)) == "Depot | 2024 | 2025\nLeeds | 4 | 5"
    assert text("docx", word(rows, repeated=1)) == "Depot: Leeds; 2024: 4; 2025: 5."


def test_a_table_in_a_list_or_a_quote_stays_in_its_place() -> None:
    table = markdown(LIMITS)
    found = text("markdown", "- before\n\n" + table.replace("|", "  |", 1).replace("\n", "\n  ") + "\n\n- after")
    assert found == f"- before\n\n{NAMED}\n\n- after"
    assert text("markdown", "> " + table.replace("\n", "\n> ") + "\n\nafter") == f"{NAMED}\n\nafter"


def test_headings_after_a_table_stand_where_their_marks_say() -> None:
    found = read("markdown", f"# One\n\n{markdown(LIMITS)}\n\n# Two\n\nText.")
    assert [found.document.text[mark.position :].split("\n")[0] for mark in found.marks] == ["One", "Two"]


def test_long_names_and_endless_tables_do_not_grow_the_text() -> None:
    wide = [["n" * 101, "kg"], *([["x", "1"]] * 9)]
    assert len(text("markdown", markdown(wide))) < 200
    endless = [cells(["a" * 50, "b" * 50, "c" * 50]), *([cells("123")] * 1000)]
    assert len("\n".join(lines(endless, room=100_000))) < 11_000


@pytest.mark.parametrize(
    "plain",
    [
        "We met Anna, Bo, Cai, and\nDora, Eve, Fay, and\nGus, Hal, Ida, and others.",
        "1,2,3,4\n5,6,7,8\n9,10,11,12",
        "\tone\ttwo\n\tif\tso\n",
    ],
)
def test_lines_of_plain_text_that_are_no_table_stay(plain: str) -> None:
    assert text("text", f"Before.\n\n{plain}").endswith(plain.rstrip())


def test_text_around_the_rows_of_a_plain_text_is_read_as_before() -> None:
    rows = 'id,model,depot,year\nM-1,"Lift, small",Leeds,2021\nM-2,Crane,Cork,2025'
    prose = "The machines of the depots are inspected by the workshop every year in\nSeptember."
    assert text("text", f"{prose}\n\n{rows}\n{prose}") == (
        f"{prose.replace(chr(10), ' ')}\n\nid: M-1; model: Lift, small; depot: Leeds; year: 2021.\n"
        f"id: M-2; model: Crane; depot: Cork; year: 2025.\n{prose.replace(chr(10), ' ')}"
    )
