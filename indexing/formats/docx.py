"""Word documents: paragraphs, headings as marks, lists, tables as rows."""

import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING

from indexing.formats.dates import as_utc
from indexing.formats.draft import Draft, TextBuilder, one_line, visible
from indexing.types import ExtractFailed

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.table import Table
    from docx.text.paragraph import Paragraph

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_LEVEL = re.compile(r"(?:heading|标题|標題)\s*([1-9])", re.IGNORECASE)
_LABEL = 100
"""Characters of the longest cell that is given again in each row it spans: a label tells of each, a text of all."""

_UNPACKED = 20
"""A file may unpack to this many times the size limit of files: pictures do not grow, text grows tenfold."""


def read_docx(data: bytes, name: str, limit: int) -> Draft:
    """Text of a .docx file; raises ExtractFailed for one that is broken, protected or grows beyond measure."""
    import docx
    from docx.table import Table
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    _check(data, name, limit)
    try:
        word = docx.Document(io.BytesIO(data))
        builder = TextBuilder()
        for block in word.iter_inner_content():
            if isinstance(block, Table):
                _table(block, builder)
            else:
                _paragraph(block, builder)
        draft = Draft(text=builder.text(), marks=tuple(builder.marks), title=builder.first_heading)
        _properties(word, draft)
    except (KeyError, ValueError, IndexError, AttributeError, TypeError, LxmlError, *_ZIP_ERRORS) as error:
        raise _broken(name) from error
    return draft


_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


def _broken(name: str) -> ExtractFailed:
    return ExtractFailed(f"{name} is a damaged Word document or none at all.", "Open it in Word and save it again.")


def _check(data: bytes, name: str, limit: int) -> None:
    if data.startswith(_OLD_OFFICE):
        if _ENCRYPTED in data:
            raise ExtractFailed(
                f"{name} is protected with a password.", "Save a copy without the password, or leave it out."
            )
        raise ExtractFailed(f"{name} is in Word's format from before 2007.", "Save it as .docx.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except _ZIP_ERRORS as error:
        raise _broken(name) from error
    if any(entry.flag_bits & 1 for entry in entries):
        raise ExtractFailed(f"{name} is protected with a password.", "Save a copy without the password.")
    unpacked = sum(entry.file_size for entry in entries)
    text = sum(entry.file_size for entry in entries if entry.filename.endswith(".xml"))
    if unpacked > _UNPACKED * limit or text > 4 * limit:
        raise ExtractFailed(
            f"{name} would unpack to {unpacked >> 20} MiB, which is more than is read.",
            "Leave it out if you do not know where it comes from, else split it or raise the size limit.",
        )


def _paragraph(paragraph: "Paragraph", builder: TextBuilder) -> None:
    text = paragraph.text
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    found = _LEVEL.match(style)
    if found:
        builder.heading(int(found[1]), text)
    elif style.lower() == "title":
        builder.heading(0, text)
    else:
        properties = paragraph._p.pPr
        if style.lower().startswith("list") or (properties is not None and properties.numPr is not None):
            builder.item("-", 0)
        for number, line in enumerate(text.split("\n")):
            if number:
                builder.line_break()
            builder.write(line)
        builder.end_item()


def _table(table: "Table", builder: TextBuilder) -> None:
    """Rows with each cell once, however many columns it says it spans."""
    first = True
    above: dict[int, str] = {}
    for row in table.rows:
        cells: dict[int, str] = {}  # by the column that each begins in
        column = row.grid_cols_before
        for tc in row._tr.tc_lst:
            text = one_line("\n".join(paragraph.text for paragraph in tc.p_lst))
            if tc.vMerge == "continue":
                text = above.get(column, text)
                text = text if len(text) <= _LABEL else ""
            cells[column] = text
            column += max(1, tc.grid_span)
        if any(cells.values()):
            builder.row(list(cells.values()), first)
            first = False
        above = cells


def _properties(word: "WordDocument", draft: Draft) -> None:
    core = word.core_properties
    draft.title = one_line(visible(core.title or "")) or draft.title
    if core.author:
        draft.metadata["author"] = one_line(visible(core.author))
    draft.published_at = as_utc(core.modified) or as_utc(core.created)
