"""PDF: text by page, wrapped lines joined, broken words mended, running heads left out, tables by row."""

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING

from indexing.formats.dates import as_utc
from indexing.formats.draft import Draft, one_line, visible
from indexing.formats.pdf_tables import Ruled, page_lines, tables, with_rows
from indexing.lines import continues, gap, reflow, wrap_width
from indexing.split import HEADING_SEPARATOR
from indexing.types import ExtractFailed, Mark

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_LOCK = threading.Lock()
"""PDFium is not safe to use from two threads at once."""

_WRONG_PASSWORD = 4
_SOFT_HYPHEN = re.compile(r"[\u0002\ufffe\u00ad]\s*\n\s*")
_HYPHEN = re.compile(r"(?<=[a-z]{2})[-\u2010]\n\s*(?=[a-z]{2})")
_DIGITS = re.compile(r"\d+|\b[ivxlc]+\b")
_EDGE_LINES = 2
_OFTEN, _SHARE = 5, 0.4
"""A first or last line found on five pages or this share of them (digits apart) is a running head or page number."""

_RAGGED = 0.88
"""Lines of proportional type that reach the margin differ by about a tenth in characters."""

_LEADERS = re.compile(r"(?:[.…·][ \t]?){4}[.…·][ \t]*[\divxlc]+[ \t]*$")
"""The end of a line of a table of contents. Of a longer run of dots only the last five are tried to the end."""

_NUMBER = (
    r"^[^\S\n]*(?:(?:chapter|section|appendix|part)\s+)?(?:第\s*\w{1,4}\s*[章节部]|[\dA-Z]{1,3}(?:\.\d{1,3})*\.?)?\s*"
)
"""What may stand before a heading on the page and be left out of the outline."""


def read_pdf(data: bytes, name: str) -> Draft:
    """Text with the pages and the outline's headings as marks.

    Raises ExtractFailed for a damaged or password-protected file and for one without any text.
    """
    from pypdfium2 import PdfDocument, PdfiumError

    with _LOCK:
        try:
            document = PdfDocument(data)
        except PdfiumError as error:
            if getattr(error, "err_code", None) == _WRONG_PASSWORD:
                raise ExtractFailed(
                    f"{name} is protected with a password.", "Save a copy without the password, or leave it out."
                ) from error
            raise ExtractFailed(
                f"{name} is a damaged PDF file or none at all.", "Open it in a viewer and save it again."
            ) from error
        try:
            pages, unread = _pages(document, Ruled(data))
            outline = _outline(document)
            fields = document.get_metadata_dict(skip_empty=True)
        finally:
            document.close()
    if not any(page.strip() for page in pages):
        raise ExtractFailed(
            f"{name} has no text on its {len(pages)} pages; scanned?", "Run text recognition (OCR) over it first."
        )
    text, marks = _joined(_without_running_heads(pages), outline)
    metadata = {"pages": str(len(pages))}
    if author := one_line(visible(fields.get("Author", ""))):
        metadata["author"] = author
    if unread:
        metadata["unread_pages"] = ", ".join(map(str, unread))
    title = one_line(visible(fields.get("Title", "")))
    date = as_utc(fields.get("CreationDate")) or as_utc(fields.get("ModDate"))
    return Draft(text=text, title=title, marks=tuple(marks), published_at=date, metadata=metadata)


def _pages(document: "PdfDocument", ruled: Ruled) -> tuple[list[str], list[int]]:
    """Text of each page, and the numbers of those that could not be read."""
    from pypdfium2 import PdfiumError

    texts: list[str] = []
    unread: list[int] = []
    for number in range(len(document)):
        try:
            page = document[number]
            textpage = page.get_textpage()
            lines = page_lines(textpage)
            text = with_rows(textpage.get_text_bounded(), lines, tables(lines, ruled.of(page, number)))
            textpage.close()
            page.close()
        except PdfiumError:
            text = ""
            unread.append(number + 1)
        texts.append(_mended(text))
    return texts, unread


def _mended(text: str) -> str:
    """Line ends as \\n, words that were broken at a line's end in one piece, without tables of contents."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = _SOFT_HYPHEN.sub("", text).split("\n")
    text = "\n".join(line for line in lines if not _LEADERS.search(line))
    return visible(_HYPHEN.sub("", text)).strip()


def _outline(document: "PdfDocument") -> list[tuple[int, int, str]]:
    """(page index, level, title) of the bookmarks that name a page."""
    from pypdfium2 import PdfiumError

    found: list[tuple[int, int, str]] = []
    try:
        for entry in document.get_toc(max_depth=4):
            target = entry.get_dest()
            index = target.get_index() if target is not None else None
            title = one_line(visible(entry.get_title()))
            if index is not None and title:
                found.append((index, entry.level, title))
    except (PdfiumError, ValueError):
        return found
    return found


def _without_running_heads(pages: list[str]) -> list[list[str]]:
    """Lines of each page without those that stand at the edge of most pages."""
    lines = [page.split("\n") for page in pages]
    if len(pages) < 4:
        return lines
    edges: Counter[str] = Counter()
    for page in lines:
        edges.update({_masked(line) for line in page[:_EDGE_LINES] + page[-_EDGE_LINES:]})
    often = min(_OFTEN, _SHARE * len(pages))
    repeated = {line for line, count in edges.items() if line and count >= often}
    kept = []
    for page in lines:
        first, last = 0, len(page)
        while first < min(_EDGE_LINES, last) and _masked(page[first]) in repeated:
            first += 1
        while last > max(first, len(page) - _EDGE_LINES) and _masked(page[last - 1]) in repeated:
            last -= 1
        kept.append(page[first:last])
    return kept


def _masked(line: str) -> str:
    return _DIGITS.sub("#", one_line(line).lower())


def _joined(pages: list[list[str]], outline: list[tuple[int, int, str]]) -> tuple[str, list[Mark]]:
    """One text of all pages with marks; a sentence that runs over the page's end stays whole."""
    marks: list[Mark] = []
    parts: list[str] = []
    length = 0
    path: list[tuple[int, str]] = []
    before: list[str] = []
    by_page: dict[int, list[tuple[int, str]]] = {}
    for index, level, title in outline:
        by_page.setdefault(index, []).append((level, title))
    for index, lines in enumerate(pages):
        text = reflow("\n".join(lines), _RAGGED).strip()
        if not text:
            continue
        separator = ""
        if before:
            runs_on = continues(before[-1], lines[0], int(_RAGGED * wrap_width(before)))
            separator = gap(before[-1], lines[0]) if runs_on else "\n\n"
        parts.append(separator + text)
        start = length + len(separator)
        length = start + len(text)
        before = [line for line in lines if line.strip()]
        marks.append(Mark(start, page=index + 1))
        marks.extend(_headings(text, start, by_page.get(index, []), path))
    return "".join(parts), marks


def _headings(text: str, start: int, entries: list[tuple[int, str]], path: list[tuple[int, str]]) -> list[Mark]:
    """Marks of the bookmarks whose title stands at the start of a line of their page."""
    marks: list[Mark] = []
    position = 0
    for level, title in entries:
        while path and path[-1][0] >= level:
            path.pop()
        path.append((level, title.replace(HEADING_SEPARATOR, " › ")))
        pattern = _NUMBER + r"\s*".join(map(re.escape, title.split()))
        found = re.compile(pattern, re.MULTILINE | re.IGNORECASE).search(text, position)
        if found:
            position = found.end()
            offset = found.end() - len(found[0].lstrip())
            marks.append(Mark(start + offset, heading=HEADING_SEPARATOR.join(name for _, name in path)))
    return marks
