"""Markdown: rendered to the text that a reader sees; code verbatim, tables row by row, links as their words."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from indexing.formats.dates import as_utc
from indexing.formats.draft import Draft, TextBuilder, one_line, visible
from indexing.formats.tables import cells
from indexing.types import Mark

_FRONT = re.compile(r"\A\ufeff?(---|\+\+\+)[^\S\n]*\n(.*?)\n(?:\1|\.\.\.)[^\S\n]*(?:\n|\Z)", re.DOTALL)
_WIKI_LINK = re.compile(r"!?\[\[([^\[\]|\n]+)(?:\|([^\[\]\n]+))?\]\]")
_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)
_MOST_MISSING = 65_536
"""The parser fills the rows of a table up to its head: so many empty cells take 100 MB, a file can ask for billions."""

_DATES = ("date", "published", "published_at", "publish_date", "created", "updated", "lastmod")
_PLAIN = (str, int, float, date)
_KEPT = ("author", "authors", "description", "tags", "category", "categories", "lang", "language")


def read_markdown(text: str) -> Draft:
    """Text, headings as marks, and the fields of the front matter (YAML or TOML)."""
    front, body = front_matter(visible(text))
    builder = TextBuilder()
    rules = ["strikethrough"] if _missing_cells(body) > _MOST_MISSING else ["strikethrough", "table"]
    _render(MarkdownIt("commonmark", {"html": True}).enable(rules).parse(body), builder)
    rendered = builder.text()
    marks: tuple[Mark, ...] = tuple(builder.marks)
    metadata = {key: _words(front[key]) for key in _KEPT if front.get(key)}
    for key in ("url", "canonical", "canonical_url", "permalink"):
        if isinstance(front.get(key), str) and str(front[key]).startswith(("http://", "https://")):
            metadata["canonical"] = str(front[key])
    dates = (as_utc(front[key]) for key in _DATES if key in front)
    title = front.get("title")
    return Draft(
        text=rendered,
        title=_words(title) or builder.first_heading,
        marks=marks,
        published_at=next((found for found in dates if found), None),
        metadata=metadata,
    )


def front_matter(text: str) -> tuple[Mapping[str, object], str]:
    """Fields at the head of a file and what follows; a head that does not parse is text like the rest."""
    found = _FRONT.match(text)
    if not found:
        return {}, text
    try:
        fields = tomllib.loads(found[2]) if found[1] == "+++" else yaml.safe_load(found[2])
    except Exception:  # noqa: BLE001 - PyYAML raises whatever a tagged value ("!!timestamp soon") leads to
        return {}, text
    if fields is None:
        return {}, text[found.end() :]
    if not isinstance(fields, dict):
        return {}, text
    return {str(key).lower(): value for key, value in fields.items()}, text[found.end() :]


def _missing_cells(body: str) -> int:
    """About how many cells the rows of the tables have less than their heads."""
    missing = width = 0
    for line in body.split("\n"):
        bars = line.count("|")
        if not line.strip("> \t"):
            width = 0
        elif bars and not line.strip("|-: \t>"):  # the rule under a head
            width = max(width, bars)
        missing += max(0, width - bars)
    return missing


def _words(value: object) -> str:
    """A field as text: a plain value, or a list of them; anything deeper (or a bomb of aliases) is left out."""
    if isinstance(value, list):
        return ", ".join(one_line(str(entry)) for entry in value if isinstance(entry, _PLAIN))
    if isinstance(value, dict):
        value = value.get("name")
    return one_line(str(value)) if isinstance(value, _PLAIN) else ""


def _render(tokens: list[Token], builder: TextBuilder) -> None:
    lists: list[int | None] = []  # the next number of each open ordered list, None for bullets
    rows: list[list[str]] | None = None  # of the table that is open
    heading = 0
    for token in tokens:
        kind = token.type
        if kind == "inline":
            text = inline_text(token)
            if heading:
                builder.heading(heading, text)
            elif rows is not None:
                rows[-1][-1] = text.replace("\v", " ")
            else:
                builder.write(text)
        elif kind == "heading_open":
            heading = int(token.tag[1])
        elif kind == "heading_close":
            heading = 0
        elif kind in ("paragraph_close", "blockquote_close", "hr"):
            builder.end_block()
        elif kind in ("fence", "code_block"):
            builder.verbatim(token.content)
        elif kind == "bullet_list_open":
            lists.append(None)
        elif kind == "ordered_list_open":
            lists.append(int(token.attrGet("start") or 1))
        elif kind in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif kind == "list_item_open":
            _begin_item(lists, builder)
        elif kind == "list_item_close":
            builder.end_item()
        elif kind == "table_open":
            rows = []
        elif kind == "tr_open" and rows is not None:
            rows.append([])
        elif kind in ("th_open", "td_open") and rows is not None:
            rows[-1].append("")
        elif kind == "table_close" and rows is not None:
            builder.table([cells(row) for row in rows], header=1)
            rows = None
        elif kind == "html_block":
            _html_block(token.content, builder)


def _begin_item(lists: list[int | None], builder: TextBuilder) -> None:
    number = lists[-1]
    builder.item("-" if number is None else f"{number}.", len(lists) - 1)
    if number is not None:
        lists[-1] = number + 1


def _html_block(content: str, builder: TextBuilder) -> None:
    """HTML inside Markdown: its words, without tags and comments."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(content)
    tree.strip_tags(["script", "style", "template"])
    body = tree.body
    if body is None:
        return
    for line in body.text(separator=" ").split("\n"):
        builder.write(line)
        builder.line_break()
    builder.end_block()


def inline_text(token: Token) -> str:
    """The words of an inline token: links as their text, images as their description."""
    parts: list[str] = []
    for child in token.children or []:
        kind = child.type
        if kind == "text":
            parts.append(_WIKI_LINK.sub(lambda found: found[2] or found[1], child.content))
        elif kind == "code_inline":
            parts.append(child.content)
        elif kind == "softbreak":
            parts.append("\n")
        elif kind == "hardbreak" or (kind == "html_inline" and _BREAK_TAG.match(child.content)):
            parts.append("\v")
        elif kind == "image":
            parts.append(inline_text(child) or child.content)
    return "".join(parts)
