"""PDF files written by hand, as small as they can be, for the tests of the readers."""

from collections.abc import Sequence

CELL = 120
"""Points from a cell of a line to the next."""


def make_pdf(
    pages: Sequence[Sequence[str | Sequence[str]]],
    title: str = "",
    created: str = "",
    size: float = 10,
    drawn: str = "",
) -> bytes:
    """A PDF with one text line per string (ASCII) or list of cells, one list of lines per page, in letters of this
    size; `drawn` comes after the text of every page."""
    objects: list[bytes] = []
    bold = 4 + 2 * len(pages)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(b"<< /Type /Catalog /Pages 2 0 R >>")
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>")
    for number, lines in enumerate(pages):
        shown = " ".join(_shown([line] if isinstance(line, str) else line) for line in lines)
        stream = f"BT /F1 {size} Tf 50 780 Td {shown} ET {drawn}".encode() if lines else b""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 842] /Contents {5 + 2 * number} 0 R "
            f"/Resources << /Font << /F1 3 0 R /F2 {bold} 0 R >> >> >>".encode()
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream")
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier-Bold >>")
    objects.append(f"<< /Title ({_escaped(title)}) /CreationDate ({created}) >>".encode())
    return _file(objects)


def ruled(rows: Sequence[Sequence[str]], bold: bool = True) -> str:
    """What draws a table with lines around its cells, for the end of a page's stream; a cell may have several lines.
    The first row is `bold`."""
    drawn, top = [], 500
    for number, row in enumerate(rows):
        high = 14 * max(len(cell.split("\n")) for cell in row) + 6
        for column, cell in enumerate(row):
            left = 50 + CELL * column
            drawn.append(f"{left} {top - high} {CELL} {high} re S")
            font = "F2" if bold and not number else "F1"
            shown = " ".join(f"({_escaped(line)}) Tj 0 -14 Td" for line in cell.split("\n"))
            drawn.append(f"BT /{font} 8 Tf {left + 4} {top - 14} Td {shown} ET")
        top -= high
    return " ".join(drawn)


def _shown(cells: Sequence[str]) -> str:
    placed = f" {CELL} 0 Td ".join(f"({_escaped(cell)}) Tj" for cell in cells)
    return f"{placed} {-CELL * (len(cells) - 1)} -14 Td"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _file(objects: Sequence[bytes]) -> bytes:
    data = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    data += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n".encode()
    return data + f"startxref\n{table}\n%%EOF\n".encode()
