"""Files of every kind -> documents: what people see of them, and one clear reason for each that fails."""

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import docx
import pytest
from docx.document import Document as WordDocument
from docx.table import Table as WordTable
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.extract import (
    Extracted,
    content_hash,
    detect_language,
    document_id,
    extract_file,
    extract_page,
    record_document,
)
from indexing.files import DOCUMENT_TYPES
from indexing.formats.dates import as_utc
from indexing.types import ExtractFailed
from tests.pdf_files import make_pdf, ruled

FILES = Path(__file__).parent / "files"
ROOT = Path(__file__).parent.parent
APART = """
import resource, sys
from pathlib import Path
from indexing.extract import extract_file
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
path = Path(sys.argv[1])
sys.stdout.write(extract_file(path, "docs", path.parent)[0].document.text)
"""
NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def one(folder: Path, name: str, content: str | bytes) -> Extracted:
    (found,) = extract_file(put(folder, name, content), "docs", folder)
    return found


def reason(folder: Path, name: str, content: str | bytes, **options: int) -> str:
    """The sentence that a file fails with; it names the file and comes with a hint."""
    with pytest.raises(ExtractFailed) as caught:
        extract_file(put(folder, name, content), "docs", folder, **options)
    assert name in caught.value.message
    assert caught.value.message.count(". ") == 0
    assert caught.value.message.endswith((".", "?"))
    assert caught.value.hint
    return caught.value.message


def apart(folder: Path, name: str, content: str | bytes) -> str:
    """The text of a file that may ask for more than there is, read by a process with 1 GiB and 100 seconds."""
    command = [sys.executable, "-c", APART, str(put(folder, name, content))]
    return subprocess.run(command, cwd=ROOT, timeout=100, check=True, capture_output=True, text=True).stdout


def headings(found: Extracted) -> dict[str, str]:
    """Heading path -> the line of text it stands at."""
    text = found.document.text
    return {mark.heading: text[mark.position :].split("\n")[0] for mark in found.marks if mark.heading}


MARKDOWN = """---
title: Water on board
date: 2024-05-31
author: [Ada Lind, Bo Wu]
url: https://example.org/water
---

# Water

The crew *recycles* about **98 %** of its [water](https://example.org/w "title").
It is a `closed loop` system.<!-- a note -->

## How it works

1. Collect
2. Filter
   - charcoal
   - membrane
3. Drink

```python
if dirty:
    filter(water)  # **not bold**
```

| Part | Litres |
|------|-------:|
| Tank | **40** |
| Pump | 3 |

> Keep it clean.

![A pump](pump.png)

循环系统每天
处理四十升水。
"""


def test_markdown_reads_as_plain_text(tmp_path: Path) -> None:
    found = one(tmp_path, "water.md", MARKDOWN)
    text = found.document.text
    assert "The crew recycles about 98 % of its water. It is a closed loop system." in text
    assert "1. Collect\n2. Filter\n  - charcoal\n  - membrane\n3. Drink" in text
    assert "if dirty:\n    filter(water)  # **not bold**" in text
    assert "Part: Tank; Litres: 40.\nPart: Pump; Litres: 3." in text
    assert "Keep it clean." in text
    assert "A pump" in text
    assert "循环系统每天处理四十升水。" in text
    assert not any(mark in text for mark in ("](", "<!--", "|---", "title:"))
    assert headings(found) == {"Water": "Water", "Water > How it works": "How it works"}


def test_front_matter_gives_title_date_author_and_link(tmp_path: Path) -> None:
    document = one(tmp_path, "water.md", MARKDOWN).document
    assert document.title == "Water on board"
    assert document.published_at == datetime(2024, 5, 31, tzinfo=UTC)
    assert document.metadata["author"] == "Ada Lind, Bo Wu"
    assert document.metadata["canonical"] == "https://example.org/water"
    assert document.url == (tmp_path / "water.md").as_uri()
    assert document.metadata["path"] == "water.md"
    assert document.metadata["type"] == "markdown"


@pytest.mark.parametrize(
    "head",
    [
        "---\n: [broken\n---\n",
        "---\njust a rule\n---\n",
        "+++\nx = \n+++\n",
        "---\nnever closed\n",
        "---\ndate: !!timestamp soon\n---\n",
        "---\ndraft: !!bool soon\n---\n",
        "---\nweight: !!int\n---\n",
    ],
)
def test_a_broken_head_is_text(tmp_path: Path, head: str) -> None:
    document = one(tmp_path, "note_of-may.md", f"{head}\nThe text stays.").document
    assert "The text stays." in document.text


def test_a_bomb_of_aliases_in_the_head_is_harmless(tmp_path: Path) -> None:
    names = "abcdefghij"
    lines = [f"{new}: &{new} [{', '.join(['*' + old] * 10)}]" for old, new in itertools.pairwise(names)]
    head = "\n".join(["a: &a [x, x]", *lines, "tags: *j", "title: *j"])
    document = one(tmp_path, "bomb.md", f"---\n{head}\n---\nThe text.").document
    assert (document.title, document.text) == ("bomb", "The text.")


def test_tables_are_not_filled_up_without_end(tmp_path: Path) -> None:
    table = "|" + "a|" * 256 + "\n|" + "-|" * 256 + "\n" + "| word\n" * 256
    text = apart(tmp_path, "tables.md", "\n".join([table] * 40))
    assert text.count("word") == 40 * 256


HTML = """<!DOCTYPE html><html lang="en"><head><title>Valves — Station manual</title>
<meta property="article:published_time" content="2023-02-04T11:59:01+09:00"><meta name="author" content="Ada Lind">
<link rel="canonical" href="https://example.org/valves"></head><body>
<nav><a href="/">Home</a> <a href="/all">All pages</a></nav>
<main><h1>Valves<a class="headerlink" href="#v">¶</a></h1>
<p>A valve &amp; its seat<br>are one part.</p><script>track()</script>
<h2>Kinds</h2><ul><li>Ball<ul><li>small</li></ul></li><li>Gate</li></ul>
<table><tr><th>Kind</th><th>Bar</th></tr><tr><td>Ball</td><td><b>4</b>0</td></tr></table>
<pre>open  --slowly
  now</pre>
<dl class="py function"><dt class="sig sig-object py" id="valve.open">valve.<b>open</b>(speed)</dt>
<dd><p>Opens it.</p></dd></dl><p>After the function.</p></main>
<footer>Imprint and cookies</footer></body></html>"""


def test_html_gives_its_main_text(tmp_path: Path) -> None:
    found = one(tmp_path, "valves.html", HTML)
    text = found.document.text
    assert text.startswith("Valves\n\nA valve & its seat\nare one part.\n\nKinds\n\n- Ball\n  - small\n- Gate")
    assert "Kind: Ball; Bar: 40." in text
    assert "open  --slowly\n  now" in text
    assert not any(word in text for word in ("Home", "Imprint", "track", "¶"))


def test_html_gives_title_date_link_and_headings(tmp_path: Path) -> None:
    found = one(tmp_path, "valves.html", HTML)
    document = found.document
    assert document.title == "Valves"
    assert document.published_at == datetime(2023, 2, 4, 2, 59, 1, tzinfo=UTC)
    assert document.metadata["canonical"] == "https://example.org/valves"
    assert headings(found)["Valves > Kinds > valve.open"] == "valve.open(speed)"
    assert headings(found)["Valves > Kinds"] == "After the function.", "a definition ends with its list"


def test_a_page_without_a_main_element_loses_its_menus(tmp_path: Path) -> None:
    menu = "".join(f'<li><a href="/{number}">Section {number} of the site</a></li>' for number in range(60))
    body = "".join(
        f"<p>Paragraph {number} tells how the station is cooled by ammonia loops.</p>" for number in range(12)
    )
    page = f"<html><head><title>Cooling</title></head><body><div><ul>{menu}</ul></div><div>{body}</div></body></html>"
    text = one(tmp_path, "cooling.html", page).document.text
    assert "Paragraph 7 tells how the station is cooled" in text
    assert "Section 30 of the site" not in text


def test_a_plain_page_is_read_whole(tmp_path: Path) -> None:
    text = one(tmp_path, "p.html", "<title>T</title><h1>A</h1><p>First.</p><h2>B</h2><p>Second.</p>").document.text
    assert text == "A\n\nFirst.\n\nB\n\nSecond."


@pytest.mark.parametrize(("start", "first"), [("3", 3), ("-2", -2), ("²", 1), ("--1", 1), ("", 1)])
def test_a_list_begins_where_it_says_if_that_is_a_number(tmp_path: Path, start: str, first: int) -> None:
    text = one(tmp_path, "list.html", f"<main><p>Steps:</p><ol start='{start}'><li>Drain it.</ol></main>").document.text
    assert f"{first}. Drain it." in text


def test_xhtml_with_empty_elements_is_read_whole(tmp_path: Path) -> None:
    page = '<?xml version="1.0" encoding="UTF-8"?><html><head><script src="x"/><title>T</title></head>'
    assert (
        "Here." in one(tmp_path, "x.html", page + '<body><h1><a id="t"/>T</h1><p>Here.</p></body></html>').document.text
    )


def test_html_nested_beyond_the_stack_is_read(tmp_path: Path) -> None:
    assert one(tmp_path, "deep.html", "<div>" * 5000 + "Deep down." + "</div>" * 5000).document.text == "Deep down."


def test_html_nested_beyond_sense_is_refused(tmp_path: Path) -> None:
    assert "nested" in reason(tmp_path, "abyss.html", "<div>" * 100_000 + "x")


def test_a_page_of_endless_tables_is_read_as_it_is(tmp_path: Path) -> None:
    menu = "<ul>" + "<li><a href='/'>One of the many entries of a menu</a></li>" * 20_000 + "</ul>"
    story = "<p>" + "The crew of the station changes the filters, as it does every month. " * 40 + "</p>"
    table = "<table><tr>" + "<td>x" * 100 + "<tr><td>word" * 40_000 + "</table>"
    text = apart(tmp_path, "tables.html", f"<html><body>{menu}<div>{story}{table}{story}</div></body></html>")
    assert text.count("word") == 40_000


def test_html_is_decoded_as_it_declares(tmp_path: Path) -> None:
    page = '<html><head><meta charset="gb2312"><title>泵</title></head><body><p>泵坏了。</p></body></html>'
    assert one(tmp_path, "pump.html", page.encode("gb18030")).document.text == "泵坏了。"


def test_a_definition_stands_with_its_term(tmp_path: Path) -> None:
    terms = (
        "<dt>Grace period</dt><dd>one hour</dd><dt>宽限期：</dt><dd><p>一小时</p><p>两小时</p></dd>"
        "<dt>Lift<dt>Crane<dd>a machine<dd>a bird<dt>How old?<dd>21.<dt>Kinds<dd><ul><li>ball<li>gate</ul><dt>Other"
    )
    text = one(tmp_path, "terms.html", f"<main><dl>{terms}</dl><p>After.</p></main>").document.text
    assert text.split("\n\n") == [
        *("Grace period: one hour", "宽限期：一小时", "两小时", "Lift, Crane: a machine", "Lift, Crane: a bird"),
        *("How old? 21.", "Kinds:", "- ball\n- gate", "Other", "After."),
    ]


@pytest.mark.parametrize("ending", [".md", ".html"])
def test_lines_with_labels_are_lines_of_their_own(tmp_path: Path, ending: str) -> None:
    def text(paragraph: str) -> str:
        content = paragraph if ending == ".md" else f"<main><p>{paragraph}</p></main>"
        return one(tmp_path, f"minutes{ending}", content).document.text

    head = "时间：2025 年 7 月\n主持：总经理 陆文涛\n出席：魏长青，"
    assert text(f"{head}\n以及孙美玲") == f"{head}以及孙美玲"
    assert text("会议由总经理\n主持：他说\n大家好。") == "会议由总经理主持：他说大家好。"
    head = "Host: Ada Lind\nTaken by: Bo Wu\nPlace: the room above"
    assert text(f"{head}\nthe hall") == f"{head} the hall"
    assert text("It is written on the\ndoor: closed on\nMondays.") == "It is written on the door: closed on Mondays."


def test_pdf_gives_pages_title_and_date(tmp_path: Path) -> None:
    pages = [["Pump handbook"], ["The second page tells of filters."], [], ["The fourth page ends it."]]
    found = one(tmp_path, "pump.pdf", make_pdf(pages, title="Pumps", created="D:20230204205901+09'00'"))
    document = found.document
    assert document.title == "Pumps"
    assert document.published_at == datetime(2023, 2, 4, 11, 59, 1, tzinfo=UTC)
    assert document.metadata["pages"] == "4"
    starts = {mark.page: document.text[mark.position :].split("\n")[0] for mark in found.marks}
    assert starts == {1: "Pump handbook", 2: "The second page tells of filters.", 4: "The fourth page ends it."}


def test_pdf_lines_are_joined_and_words_mended(tmp_path: Path) -> None:
    lines = [
        "The filters of the station are changed by the crew every ninety",
        "days, which takes one of them about two hours and needs the spe-",
        "cial tool that hangs beside the hatch. It is done on Mondays.",
    ]
    text = one(tmp_path, "filters.pdf", make_pdf([lines])).document.text
    assert "every ninety days, which takes" in text
    assert "the special tool" in text


def test_pdf_running_heads_and_page_numbers_are_left_out(tmp_path: Path) -> None:
    pages = [
        ["Station manual", f"Topic {'abcdefgh'[number]} is described here.", str(number + 1)] for number in range(8)
    ]
    text = one(tmp_path, "manual.pdf", make_pdf(pages)).document.text
    assert "Station manual" not in text
    assert text.split("\n\n") == [f"Topic {letter} is described here." for letter in "abcdefgh"]


def test_pdf_tables_of_contents_are_left_out(tmp_path: Path) -> None:
    lines = ["Filters ........ 3", "Pumps . . . . . . xii ", "Wait..... what?", "Version 1...2", "Hatches.....4"]
    text = one(tmp_path, "contents.pdf", make_pdf([lines])).document.text
    assert text.split("\n") == ["Wait..... what?", "Version 1...2"]


def test_cells_of_a_pdf_table_carry_the_names_of_their_columns(tmp_path: Path) -> None:
    table = [
        ["Machine", "Day", "Week", "Deposit"],
        ["Plate compactor", "$32", "$128", "$100"],
        ["Concrete saw", "$46", "", "$120"],
        ["Generator 6 kVA", "$41", "$164", "none"],
    ]
    page = ["Prices of small machines", *table, "From the second week on the price of a week is ten percent lower."]
    text = one(tmp_path, "prices.pdf", make_pdf([page])).document.text
    assert text.split("\n") == [
        "Prices of small machines",
        "",
        "Machine: Plate compactor; Day: $32; Week: $128; Deposit: $100.",
        "Machine: Concrete saw; Day: $46; Deposit: $120.",
        "Machine: Generator 6 kVA; Day: $41; Week: $164; Deposit: none.",
        "",
        "From the second week on the price of a week is ten percent lower.",
    ]


def test_cells_of_a_pdf_table_with_drawn_lines_may_be_wrapped(tmp_path: Path) -> None:
    rows = [
        ["Part", "22B", "22B Plus", "Unit"],
        ["Door seal", "118", "every 800\ncycles", "pieces"],
        ["Filter of\nthe tank", "7", "12", "cm"],
    ]
    page = ["Parts of both devices", "What follows is drawn below."]
    text = one(tmp_path, "parts.pdf", make_pdf([page], drawn=ruled(rows))).document.text
    assert text.split("\n")[-2:] == [
        "Part: Door seal; 22B: 118; 22B Plus: every 800 cycles; Unit: pieces.",
        "Part: Filter of the tank; 22B: 7; 22B Plus: 12; Unit: cm.",
    ]
    assert text.startswith("Parts of both devices")


def test_a_frame_around_text_of_a_pdf_is_no_table(tmp_path: Path) -> None:
    frame = [["Note: the door\nis closed."], ["Mind the step."]]
    text = one(tmp_path, "frame.pdf", make_pdf([["Rules"]], drawn=ruled(frame))).document.text
    assert "Note: the door" in text
    assert "Mind the step." in text.split("\n")
    assert not set(text) & set(";|")


def test_a_damaged_drawing_of_a_pdf_loses_no_text(tmp_path: Path) -> None:
    data = make_pdf([["The pump is red."]], drawn=ruled([["A", "B"], ["1", "2"]]) + " /Nothing Do q q Q Q Q BI")
    assert "The pump is red." in one(tmp_path, "odd.pdf", data).document.text


@pytest.mark.parametrize(
    "page",
    [
        ["Every word of this page is of the same width, as on a typewriter."] * 8,
        [["Left of two columns", "", "and the right of it"]] * 8,
        [["Signed", "Dated", "Place"], ["(name)", "(day)", "(town)"]],
    ],
    ids=["typewriter", "two columns", "two lines"],
)
def test_other_lines_of_a_pdf_are_no_table(tmp_path: Path, page: list[str | list[str]]) -> None:
    text = one(tmp_path, "page.pdf", make_pdf([page])).document.text
    assert not set(text) & set(":;|")


def test_endless_dotted_lines_of_a_pdf_are_read(tmp_path: Path) -> None:
    text = apart(tmp_path, "dots.pdf", make_pdf([["." * 30_000] * 8], size=0.02))
    assert text.count(".") == 8 * 30_000


def test_docx_gives_headings_lists_and_tables(tmp_path: Path) -> None:
    word = docx.Document()
    word.core_properties.title, word.core_properties.author = "Suits", "Ada Lind"
    word.core_properties.modified = NOON
    word.add_heading("Suits", 1)
    word.add_paragraph("A suit has fourteen layers.")
    word.add_heading("Gloves", 2)
    word.add_paragraph("Warm", style="List Bullet")
    table = word.add_table(rows=2, cols=2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["Part", "kg", "Helmet", "4"], strict=True):
        cell.text = text
    file = io.BytesIO()
    word.save(file)
    found = one(tmp_path, "suits.docx", file.getvalue())
    assert found.document.text == "Suits\n\nA suit has fourteen layers.\n\nGloves\n\n- Warm\n\nPart: Helmet; kg: 4."
    assert headings(found) == {"Suits": "Suits", "Suits > Gloves": "Gloves"}
    assert (found.document.title, found.document.published_at) == ("Suits", NOON)
    assert found.document.metadata["author"] == "Ada Lind"


def word_table(texts: list[list[str]]) -> tuple[WordDocument, WordTable]:
    word = docx.Document()
    table = word.add_table(rows=len(texts), cols=len(texts[0]))
    for row, cells in zip(table.rows, texts, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    return word, table


def saved(word: WordDocument) -> bytes:
    file = io.BytesIO()
    word.save(file)
    return file.getvalue()


def test_a_merged_cell_of_docx_stands_once_a_row(tmp_path: Path) -> None:
    word, table = word_table([["Suits", "", ""], ["Old", "Helmet", "4"], ["", "Gloves", "1"], ["", "Boots", "2"]])
    table.cell(0, 0).merge(table.cell(0, 2))
    table.cell(1, 0).merge(table.cell(3, 0))
    text = one(tmp_path, "merged.docx", saved(word)).document.text
    assert text == "Suits\nOld | Helmet | 4\nOld | Gloves | 1\nOld | Boots | 2"


def test_a_long_merged_cell_of_docx_stands_in_its_first_row_alone(tmp_path: Path) -> None:
    story = "The old suits were worn by every crew until the new ones came. " * 3
    word, table = word_table([[story, "Helmet"], *([["", "Gloves"]] * 20)])
    table.cell(0, 0).merge(table.cell(20, 0))
    text = one(tmp_path, "long.docx", saved(word)).document.text
    assert (text.count("until the new ones came"), text.count("Gloves")) == (3, 20)


def test_a_docx_cell_that_spans_a_billion_columns_is_read(tmp_path: Path) -> None:
    word, table = word_table([["Part", "kg"]])
    table.cell(0, 0)._tc.grid_span = 10**9
    assert apart(tmp_path, "wide.docx", saved(word)) == "Part | kg"


def test_plain_text_keeps_lists_and_joins_wrapped_lines(tmp_path: Path) -> None:
    text = (
        "Night watch\n\nThe watch begins at ten and ends at six, and whoever has it writes\n"
        "down what the instruments show at every full hour of the night.\n\n- lamp\n- log book\n"
    )
    document = one(tmp_path, "watch.txt", text).document
    assert document.title == "Night watch"
    assert "whoever has it writes down what" in document.text
    assert document.text.endswith("- lamp\n- log book")


LINES = [
    {
        "title": "One",
        "text": "The first record.",
        "url": "https://example.org/1",
        "id": "a",
        "published_at": "2024-05-31",
    },
    {"text": "第二条记录。", "metadata": {"team": "north", "year": 2024}, "rating": 5},
]


def test_json_lines_hold_many_documents(tmp_path: Path) -> None:
    path = put(tmp_path, "r.jsonl", "\n".join(json.dumps(line) for line in LINES) + "\n\n")
    first, second = (found.document for found in extract_file(path, "docs", tmp_path))
    assert (first.title, first.url, first.published_at) == (
        "One",
        "https://example.org/1",
        datetime(2024, 5, 31, tzinfo=UTC),
    )
    assert (second.title, second.language) == ("第二条记录。", "zh")
    assert second.url == path.as_uri() + "#L2"
    assert second.metadata | {"team": "north", "year": "2024", "rating": "5"} == second.metadata
    assert first.id != second.id


def test_a_bad_line_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    bad = ["{", "[1]", '{"title": "no text"}', '{"text": 5}', '{"text": "x", "published_at": "soon"}', "[" * 100000]
    good = json.dumps({"text": "Good.", "id": 7})
    path = put(tmp_path, "r.jsonl", "\n".join([good, *bad, good]))
    failures: list[ExtractFailed] = []
    found = extract_file(path, "docs", tmp_path, on_failure=failures.append)
    assert [entry.document.text for entry in found] == ["Good."]
    assert [failure.message.split(" of ")[0] for failure in failures] == [f"Line {number}" for number in range(2, 9)]
    assert all(failure.hint for failure in failures)
    with pytest.raises(ExtractFailed, match="Line 2"):
        extract_file(path, "docs", tmp_path)


def test_one_record_becomes_a_document() -> None:
    document = record_document({"title": "T", "text": "Text.", "id": 7}, "shop", "rows", NOON).document
    assert (document.id, document.source, document.fetched_at) == (document_id("shop", "rows#7"), "shop", NOON)
    known = record_document({"title": "T", "text": "Text.", "url": "https://a.org/7"}, "shop", "rows", NOON).document
    assert known.id == document_id("shop", "rows#https://a.org/7")
    with pytest.raises(ExtractFailed, match="no text"):
        record_document({"title": "T"}, "shop", "rows", NOON)


@pytest.mark.parametrize("charset", ["punycode", "unicode_escape", "utf-7", "zlib", "rot13", "no-such", "idna"])
def test_a_page_cannot_choose_how_its_bytes_are_read(charset: str) -> None:
    data = b"<html><body><main><p>Caf\xe9 +AGE- \\u0061 in the old town by the river.</p></main></body></html>"
    (page,) = extract_page(data, "https://a.org/x", "web", "k", NOON, kind="html", charset=charset)
    assert "+AGE- \\u0061 in the old town" in page.document.text


def test_a_page_is_read_as_its_server_says() -> None:
    data = "<html><head><meta charset=iso-8859-1></head><body><p>Чай и хлеб на столе.</p></body></html>".encode(
        "cp1251"
    )
    (page,) = extract_page(data, "https://a.org/a%20b/", "web", "k", NOON, kind="html", charset="windows-1251")
    assert (page.document.text, page.document.title) == ("Чай и хлеб на столе.", "a b")
    (root,) = extract_page(b"<p>Some words.</p>", "https://a.org/", "web", "k", NOON, kind="html")
    assert (root.document.title, root.document.url) == ("a.org", "https://a.org/")


def test_identity_is_stable_and_content_decides_the_hash(tmp_path: Path) -> None:
    before = one(tmp_path, "a.txt", "Some words.").document
    os.utime(tmp_path / "a.txt", (1e9, 1e9))
    (after,) = extract_file(tmp_path / "a.txt", "docs", tmp_path)
    assert (before.id, before.content_hash) == (after.document.id, after.document.content_hash)
    assert after.document.fetched_at == datetime.fromtimestamp(1e9, UTC)
    changed = one(tmp_path, "a.txt", "Other words.").document
    assert changed.id == before.id
    assert changed.content_hash != before.content_hash == content_hash(before)
    (other,) = extract_file(tmp_path / "a.txt", "elsewhere", tmp_path)
    assert other.document.id != before.id


ENGLISH = "The crew checks every valve before the hatch is closed. It takes about ten minutes – not more. "
CHINESE = "他说我们应该在明天早上出发，去看看新的图书馆。服务器需要重新启动，然后检查日志文件。"
TAIWAN = "他說我們應該在明天早上出發，去看看新的圖書館。伺服器需要重新啟動，然後檢查日誌檔案。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ENGLISH, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (ENGLISH, "utf-16-le"),
        (ENGLISH, "utf-16-be"),
        (CHINESE, "utf-32"),
        (CHINESE, "gb18030"),
        (CHINESE * 3000, "gb18030"),
        (TAIWAN, "big5"),
        ("これは日本語の文章です。サーバーを再起動してください。", "shift_jis"),
        ("Le café était très bon, à côté de l'hôtel où nous étions.", "cp1252"),
    ],
)
def test_encodings_are_recognised(tmp_path: Path, text: str, encoding: str) -> None:
    assert one(tmp_path, "t.txt", text.encode(encoding)).document.text == text.strip()


def test_a_damaged_byte_does_not_lose_a_chinese_text(tmp_path: Path) -> None:
    document = one(tmp_path, "t.txt", (CHINESE * 20).encode()[:-1]).document
    assert document.text.startswith(CHINESE)
    assert document.metadata["encoding"] == "utf-8 (damaged)"


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    assert "empty" in reason(tmp_path, "a.md", b"")
    assert "empty" in reason(tmp_path, "a.txt", b" \n\t ")
    assert "no text of its own" in reason(tmp_path, "a.html", b"<html><body><nav>Menu</nav></body></html>")
    assert "MiB" in reason(tmp_path, "a.txt", b"x" * 3_000_000, limit=1_048_576)
    assert "binary" in reason(tmp_path, "a.txt", bytes(range(256)) * 40)
    assert "encoding" in reason(tmp_path, "a.txt", bytes(range(128, 256)) * 40)
    assert "broken at byte" in reason(tmp_path, "a.txt", b"\xff\xfe\x00\xd8\x41")
    assert "damaged PDF" in reason(tmp_path, "a.pdf", b"%PDF-1.7 nothing more")
    assert "damaged PDF" in reason(tmp_path, "b.pdf", b"Not a PDF at all.")
    assert "scanned" in reason(tmp_path, "c.pdf", make_pdf([[], []]))
    assert "password" in reason(tmp_path, "protected.pdf", (FILES / "protected.pdf").read_bytes())
    assert "damaged Word" in reason(tmp_path, "a.docx", b"PK\x03\x04 broken")
    assert "damaged Word" in reason(tmp_path, "b.docx", zipped({"readme.txt": b"x"}))
    assert "password" in reason(
        tmp_path, "c.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    )
    assert "before 2007" in reason(tmp_path, "d.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old")
    assert "an image" in reason(tmp_path, "photo.png", b"\x89PNG\r\n\x1a\n")
    assert "an archive" in reason(tmp_path, "all.zip", zipped({"a.md": b"x"}))


def test_whatever_a_reader_stumbles_over_is_said_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(_: str) -> None:
        raise AttributeError("'NoneType' object has no attribute 'groupdict'")

    monkeypatch.setattr("indexing.formats.plain.read_plain", stumble)
    assert reason(tmp_path, "a.txt", "Plain words.") == "a.txt could not be read as text."
    assert "groupdict" in caplog.text
    assert "Traceback" in caplog.text


def zipped(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zipped({"word/document.xml": b"\0" * 30_000_000})
    assert "unpack" in reason(tmp_path, "bomb.docx", bomb, limit=1_048_576)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    (tmp_path / "gone.md").symlink_to("nowhere.md")
    (tmp_path / "loop.md").symlink_to("loop.md")
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("gone.md", "loop.md", "pipe.txt", "missing.md"):
        with pytest.raises(ExtractFailed, match=name):
            extract_file(tmp_path / name, "docs", tmp_path)
    with pytest.raises(ExtractFailed, match="folder"):
        extract_file(tmp_path, "docs", tmp_path)
    if os.geteuid():
        put(tmp_path, "closed.md", "x").chmod(0)
        with pytest.raises(ExtractFailed, match=r"closed\.md cannot be opened: permission denied"):
            extract_file(tmp_path / "closed.md", "docs", tmp_path)


def test_the_content_decides_where_the_name_lies(tmp_path: Path) -> None:
    assert one(tmp_path, "a.txt", make_pdf([["A page of text."]])).document.metadata["type"] == "pdf"
    book = zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})
    assert "damaged Excel" in reason(tmp_path, "prices", book)
    assert one(tmp_path, "README", "Plain words.").document.metadata["type"] == "text"
    assert one(tmp_path, "page", "<!DOCTYPE html><p>Words.</p>").document.metadata["type"] == "html"


@given(
    st.binary(max_size=300),
    st.sampled_from(sorted(DOCUMENT_TYPES)),
    st.sampled_from([b"", b"%PDF-1.4\n", b"PK\x03\x04", b"---\n", b"{"]),
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: str, head: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = put(folder, f"any{ending}", head + data)
    with contextlib.suppress(ExtractFailed):
        assert all(found.document.text for found in extract_file(path, "docs", folder))


@given(
    st.text(alphabet="#*_`[]()<>!|-+=~&;:\\\n \t1a字\"'/{}$", max_size=300), st.sampled_from([".md", ".html", ".txt"])
)
@settings(max_examples=200, deadline=None)
def test_marks_lie_in_the_text(tmp_path_factory: pytest.TempPathFactory, text: str, ending: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        found = extract_file(put(folder, f"any{ending}", text), "docs", folder)
    except ExtractFailed:
        return
    for mark in found[0].marks:
        assert 0 <= mark.position < len(found[0].document.text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Restart the server.", "en"),
        ("How do I install it?", "en"),
        ("To be or not to be", "en"),
        (ENGLISH, "en"),
        ("安装程序", "zh"),
        ("重启服务器", "zh"),
        ("伺服器需要重新啟動", "zh"),
        ("如何用 pip install 安装 passerine？", "zh"),
        (CHINESE, "zh"),
        ("東京は日本の首都です", "ja"),
        ("한국어 문장입니다", "ko"),
        ("Der Hund läuft schnell über die große Straße.", "de"),
        ("La fusée a décollé hier matin.", "fr"),
        ("Ракета стартовала вчера утром, и экипаж сообщил, что все системы работают нормально.", "ru"),
        ("12345 + 678", ""),
        ("", ""),
        ("Python", ""),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-31", "2024-05-31T00:00:00"),
        ("2024-05-31T12:00:00Z", "2024-05-31T12:00:00"),
        ("2024-05-31T12:00:00+08:00", "2024-05-31T04:00:00"),
        ("2024/5/3", "2024-05-03T00:00:00"),
        ("2024年5月3日", "2024-05-03T00:00:00"),
        ("D:20240531120000-05'30'", "2024-05-31T17:30:00"),
        ("Fri, 31 May 2024 12:00:00 +0000", "2024-05-31T12:00:00"),
        ("31 May 2024", "2024-05-31T00:00:00"),
        ("May 31, 2024", "2024-05-31T00:00:00"),
        (datetime(2024, 5, 31), "2024-05-31T00:00:00"),
    ],
)
def test_dates(value: object, expected: str) -> None:
    assert as_utc(value) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["", "soon", "2024-13-45", "0000-00-00", None, 5, "0001-01-01T00:00:00+14:00", "D:99999999"]
)
def test_what_is_no_date(value: object) -> None:
    assert as_utc(value) is None


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("# Policy\n\nVersion 3.1, in force from 1 February 2024. Approved by M. Reyes.", "2024-02-01"),
        ("# FAQ\n\nLast updated: March 2, 2026", "2026-03-02"),
        ("# 条款\n\n生效日期：2025 年 5 月 1 日。适用于以后购买的产品。", "2025-05-01"),
        ("# 規定\n\n本規定自2026年1月1日起施行。", "2026-01-01"),
        ("# Zebra\n\nThe book on it was released on 3 May 1998. It was valid from 31 February 2024.", None),
        ("# 简历\n\n他自1998年5月3日起任职。", None),
    ],
)
def test_a_document_is_of_the_day_that_it_states_in_its_beginning(tmp_path: Path, text: str, day: str | None) -> None:
    path = tmp_path / "policy.md"
    path.write_text(text, encoding="utf-8")
    [one] = extract_file(path, "files", tmp_path)
    stated = one.document.published_at
    assert (stated.date().isoformat() if stated else None) == day
