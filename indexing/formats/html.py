"""HTML: the main text of a page as readable plain text, without menus, with headings as marks.

The page's own main element is taken where it names one (HTML5, Sphinx, MediaWiki, common themes), the body
where little of it is links (DocBook, hand-written pages), and trafilatura's choice elsewhere.
"""

import re
from datetime import datetime

from selectolax.lexbor import LexborHTMLParser, LexborNode

from indexing.formats.dates import as_utc
from indexing.formats.draft import Draft, TextBuilder, one_line, visible
from indexing.formats.html_text import render
from indexing.types import ExtractFailed

_DROPPED = (
    "script, style, noscript, template, svg, math annotation, nav, form, button, select, iframe, object, dialog, "
    "[role=navigation], [role=search], [role=banner], [role=contentinfo], [hidden], "
    ".navheader, .navfooter, .toc, #toc, .table-of-contents, nav.contents, .contents.topic, .contents.local, "
    ".toctree-wrapper, .indextable, .modindextable, .genindex-jumpbox, .modindex-jumpbox, .headerlink, .anchorlink, "
    ".sphinxsidebar, .related, .breadcrumb, .breadcrumbs, .sidebar, .mw-editsection, .mw-jump-link, .navbox, "
    ".catlinks, .printfooter, .skip-link, .cookie-banner, .share-buttons, .pagination, .linenos"
)
_BODY_DROPPED = "header, footer, aside, .header, .footer, #header, #footer, #sidebar, .menu, #menu, .nav, #nav"
_MAIN = (
    "main",
    "[role=main]",
    "article",
    "div.body",
    "#mw-content-text",
    ".markdown-body",
    ".rst-content",
    "div.document",
    "#main-content",
    "#docContent > div",
    "#content",
    ".content",
)
_ENOUGH = 0.25
"""A main element holds at least this share of the page's words: a teaser or an empty shell does not."""

_LINKED = 0.3
"""A body with more of its words in links than this has menus in it."""

_DEEPEST = 10_000
"""The parser's time grows with the square of the depth: 0.3 s here, minutes at ten times as deep."""

_MOST_CELLS = 10_000
"""Trafilatura fills each row of a table up to the widest, to 100 cells: these take up to 0.4 GB."""

_CELL = re.compile(r"<t[dhr]\b", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:[^<>]*?(/?)>)?")
_CLOSED_BY_THEMSELVES = frozenset(
    [
        *("a", "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option"),
        *("p", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr"),
    ]
)

_DATE_META = (
    "article:published_time",
    "datepublished",
    "date",
    "dc.date",
    "dc.date.issued",
    "dcterms.created",
    "dcterms.date",
    "citation_publication_date",
    "pubdate",
    "article:modified_time",
    "last-modified",
)
_JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{4,40})"')
_CHARSET = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset=|\?xml[^>]{0,100}?encoding=)\s*["']?([\w.:-]{2,40})""", re.IGNORECASE
)
_SELF_CLOSED = re.compile(
    r"<(a|div|span|script|title|p|td|th|dt|dd|li|em|strong|code|i|b|iframe|textarea)(\s[^<>]*)?/>", re.IGNORECASE
)


def declared_charset(data: bytes) -> str:
    """The encoding that a page names for itself, "" when it names none."""
    found = _CHARSET.search(data[:4096])
    return found[1].decode("ascii", errors="replace") if found else ""


def read_html(text: str, name: str = "The page") -> Draft:
    """Main text, headings as marks, title, date, canonical link, author and the language the page names.

    Raises ExtractFailed for a page that is nested so deep that reading it would take minutes.
    """
    text = visible(text)
    if _depth(text) > _DEEPEST:
        raise ExtractFailed(
            f"{name} has elements nested more than {_DEEPEST} deep.", "Leave it out: no browser shows it."
        )
    if text.lstrip()[:5].lower() == "<?xml" or "//DTD XHTML" in text[:400]:
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", text)  # HTML parsers take <a/> for an opening tag
    tree = LexborHTMLParser(text)
    published, metadata, title = _head(tree, text)
    builder = TextBuilder()
    for node in _main_nodes(tree, text):
        render(node, builder)
    body = builder.text()
    return Draft(
        text=body,
        title=_best_title(title, builder.first_heading),
        marks=tuple(builder.marks),
        published_at=published,
        metadata=metadata,
    )


def _depth(text: str) -> int:
    """About how deep elements are nested at most; those that HTML closes by itself are not counted."""
    depth = deepest = 0
    for closing, name, empty in _TAG.findall(text):
        if empty or name.lower() in _CLOSED_BY_THEMSELVES:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _head(tree: LexborHTMLParser, text: str) -> tuple[datetime | None, dict[str, str], str]:
    """(publication date, metadata, title) from the head of a page."""
    named: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        key = (
            node.attributes.get("property") or node.attributes.get("name") or node.attributes.get("itemprop") or ""
        ).lower()
        if key and (value := one_line(node.attributes.get("content") or "")):
            named.setdefault(key, value)
    dates = [named[key] for key in _DATE_META if key in named]
    dates += _JSON_DATE.findall(text)
    dates += [node.attributes.get("datetime") or "" for node in tree.css("time[pubdate], time[itemprop=datePublished]")]
    metadata: dict[str, str] = {key: named[key] for key in ("author", "description", "keywords") if key in named}
    link = tree.css_first("link[rel=canonical]")
    canonical = (link.attributes.get("href") if link else None) or named.get("og:url", "")
    if canonical.startswith(("http://", "https://")):
        metadata["canonical"] = canonical
    root = tree.root
    language = (root.attributes.get("lang") or root.attributes.get("xml:lang") or "") if root else ""
    if language:
        metadata["lang"] = language
    element = tree.css_first("head > title") or tree.css_first("title")
    title = one_line(element.text()) if element else named.get("og:title", "")
    return next((found for found in map(as_utc, dates) if found), None), metadata, title


def _best_title(title: str, heading: str) -> str:
    """The first heading where the page's title is that with the site's name around it."""
    folded = "".join(heading.split()).lower()
    if heading and (not title or folded in "".join(title.split()).lower()):
        return heading
    return title


def _length(node: LexborNode) -> int:
    return len("".join(node.text().split()))


def _remove(tree: LexborHTMLParser, selector: str, keep: str = "") -> None:
    """Removes what a selector finds, inner elements first."""
    for node in reversed(tree.css(selector)):
        if not keep or node.css_first(keep) is None:
            node.decompose()


def _main_nodes(tree: LexborHTMLParser, text: str) -> list[LexborNode]:
    body = tree.body
    if body is None:
        return []
    _remove(tree, _DROPPED)
    total = _length(body)
    for selector in _MAIN:
        nodes = _outermost(tree.css(selector))
        if nodes and sum(map(_length, nodes)) >= _ENOUGH * total:
            return nodes
    _remove(tree, _BODY_DROPPED, keep="h1")
    linked = sum(map(_length, body.css("a")))
    if linked <= _LINKED * _length(body):
        return [body]
    return _trafilatura(text) or [body]


def _outermost(nodes: list[LexborNode]) -> list[LexborNode]:
    ids = {node.mem_id for node in nodes}
    kept = []
    for node in nodes:
        above = node.parent
        while above is not None and above.mem_id not in ids:
            above = above.parent
        if above is None:
            kept.append(node)
    return kept


def _trafilatura(text: str) -> list[LexborNode]:
    import trafilatura

    if len(_CELL.findall(text)) > _MOST_CELLS:
        return []
    found = trafilatura.extract(text, output_format="html", include_comments=False, include_tables=True)
    body = LexborHTMLParser(found).body if found else None
    return [body] if body is not None else []
