"""Plain text: the lines of wrapped paragraphs joined, everything else left as it is."""

from indexing.formats.draft import Draft, one_line, visible
from indexing.lines import columns, reflow

_TITLE = 80


def read_plain(text: str) -> Draft:
    """The title is the first line when it is short and stands alone."""
    text = reflow(visible(text)).strip("\n").rstrip()
    return Draft(text=text, title=_title(text))


def _title(text: str) -> str:
    first, _, rest = text.lstrip().partition("\n")
    title = one_line(first).strip("#=*- ")
    alone = not rest or rest[0] == "\n" or set(rest.split("\n", 1)[0].strip()) <= set("=-~*")
    if (
        title
        and alone
        and columns(title) <= _TITLE
        and not title.endswith((".", "。", ",", "，", ";", "；", ":", "："))
    ):
        return title
    return ""
