"""The page behind a link to a shared conversation: questions, answers, and the quotes behind them. Without a script."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from models.words import language_of
from service.conversations import StoredTurn, Summary

WORDS = {
    "en": {
        "made": "A conversation with Passerine, shared to be read. Check its quotes before you rely on them.",
        "used": "Sources used",
        "nearest": "Nearest passages",
        "page": "page {}",
        "gone": "This link opens nothing. It may have been taken back; ask who gave it to you.",
    },
    "zh": {
        "made": "与 Passerine 的一次对话，仅供阅读。使用前请核对引文。",
        "used": "引用的来源",
        "nearest": "最接近的段落",
        "page": "第 {} 页",
        "gone": "这个链接已失效，可能已被收回，请询问分享者。",
    },
}


def shared_page(summary: Summary, turns: Sequence[StoredTurn]) -> str:
    """HTML in the language of the conversation; a turn that got no answer is left out."""
    language = language_of(turns[0].text if turns else summary.title)
    words = WORDS[language]
    parts = [
        f'<h1 dir="auto">{escape(summary.title)}</h1>',
        f'<p class="quiet">{summary.created_at:%Y-%m-%d} · {words["made"]}</p>',
    ]
    for asked, said in pairwise(turns):
        if asked.role == "user" and said.answer:
            heading = f'<h2 class="asked" dir="auto">{escape(asked.text)}</h2>'
            parts += ['<section class="turn">', "" if asked.text == summary.title else heading]
            parts += [*answered(json.loads(said.answer), len(parts), words), "</section>"]
    return whole("".join(parts), summary.title, language)


def gone_page(languages: str) -> str:
    """What a link that does not work shows; `languages` is the header Accept-Language."""
    language = "zh" if languages.lower().startswith("zh") else "en"
    return whole(f"<p>{WORDS[language]['gone']}</p>", "Passerine", language)


def whole(body: str, title: str, language: str) -> str:
    return (
        f'<!doctype html><html lang="{"zh-Hans" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><link rel="icon" href="/static/passerine.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/static/base.css"><link rel="stylesheet" href="/static/shared.css"></head>'
        f'<body><p class="brand"><img src="/static/passerine.svg" alt="" width="24" height="24">Passerine</p>'
        f"<main>{body}</main></body></html>"
    )


def answered(answer: Mapping[str, Any], place: int, words: Mapping[str, str]) -> Iterator[str]:
    """The text with its markers as links to the quotes below it; `place` keeps those of several answers apart."""
    text = escape(answer["text"])
    for citation in answer["citations"]:
        number = citation["number"]
        text = text.replace(f"[{number}]", f'<a class="number" href="#s{place}-{number}">{number}</a>')
    yield f'<p class="text" dir="auto">{text}</p>'
    quotes = [
        f'<li id="s{place}-{each["number"]}"><span class="number">{each["number"]}</span>'
        f'{source(each, each["page"], words)}<q dir="auto">{escape(each["quote"])}</q></li>'
        for each in answer["citations"]
    ]
    near = [
        f"<li>{source(hit['document'], hit['passage']['page'], words)}"
        f'<q dir="auto">{escape(hit["passage"]["text"])}</q></li>'
        for hit in answer["nearest"]
    ]
    for name, items in (("used", quotes), ("nearest", near)):
        if items:
            yield f"<h3>{words[name]}</h3><ol>{''.join(items)}</ol>"


def source(document: Mapping[str, Any], page: int | None, words: Mapping[str, str]) -> str:
    """Title, date and page; a link only to an address on the web."""
    title, url = escape(document["title"]), document["url"] or ""
    if url.startswith(("https://", "http://")):
        title = f'<a href="{escape(url)}" rel="noreferrer nofollow">{title}</a>'
    facts = [(document["published_at"] or "")[:10], words["page"].format(page) if page else ""]
    return f'<b dir="auto">{title}</b> <span class="quiet">{" · ".join(fact for fact in facts if fact)}</span> '
