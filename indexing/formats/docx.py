"""Word documents: paragraphs, headings as marks, lists, tables."""

import io
import re
from typing import TYPE_CHECKING

from indexing.formats.dates import as_utc
from indexing.formats.draft import Draft, TextBuilder, one_line, visible
from indexing.formats.office import ZIP_ERRORS, Office
from indexing.formats.tables import LABEL, Cell

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.table import Table
    from docx.text.paragraph import Paragraph

_WORD = Office("Word", "Word document", ".docx")
_LEVEL = re.compile(r"(?:heading|标题|標題)\s*([1-9])", re.IGNORECASE)


def read_docx(data: bytes, name: str, limit: int) -> Draft:
    """Text of a .docx file; raises ExtractFailed for one that is broken, protected or grows beyond measure."""
    import docx
    from docx.table import Table
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    _WORD.check(data, name, limit)
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
    except (KeyError, ValueError, IndexError, AttributeError, TypeError, LxmlError, *ZIP_ERRORS) as error:
        raise _WORD.broken(name) from error
    return draft


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
    rows: list[list[Cell]] = []
    above: dict[int, str] = {}  # by the column that each begins in
    header = 0
    for row in table.rows:
        cells: list[Cell] = []
        column = row.grid_cols_before
        for tc in row._tr.tc_lst:
            text = one_line("\n".join(paragraph.text for paragraph in tc.p_lst))
            if tc.vMerge == "continue":
                text = above.get(column, text)
                text = text if len(text) <= LABEL else ""
            cells.append(Cell(text, column, max(1, tc.grid_span)))
            column += cells[-1].span
        if header == len(rows) and row._tr.xpath("./w:trPr/w:tblHeader"):
            header += 1
        rows.append(cells)
        above = {cell.column: cell.text for cell in cells}
    builder.table(rows, header if header < len(rows) else 0)


def _properties(word: "WordDocument", draft: Draft) -> None:
    core = word.core_properties
    draft.title = one_line(visible(core.title or "")) or draft.title
    if core.author:
        draft.metadata["author"] = one_line(visible(core.author))
    draft.published_at = as_utc(core.modified) or as_utc(core.created)
