"""Numbers for quotes: which are cited, in which order, and where their markers stand.

A quote that does not stand in its document word for word is dropped with its marker. Numbers count from 1 in order
of first use, and one quote has one number. This is the only place that writes a marker.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from indexing.split import sentences
from indexing.types import Hit
from models.quotes import align, verify
from models.types import Candidate, Quote
from service.types import Citation

MARKER = re.compile(r" ?\[\d{1,3}\]")
LOOKS_LIKE_MARKER = re.compile(r"\[(?=\d{1,3}\])")
WORD_JOINER = "\u2060"
"""Put after a bracket that the quoted words themselves bring ("argv[1]"), so that nobody takes it for a marker."""


def cite(candidate: Candidate, hits: Sequence[Hit]) -> tuple[str, tuple[Citation, ...]]:
    """The candidate's text with markers, and its citations. `hits` are those that were read."""
    placed = sorted(
        (place(candidate.text, quote), order, quote, hit)
        for order, quote in enumerate(candidate.quotes)
        if (hit := source_of(quote, (*candidate.evidence, *hits))) is not None
    )
    numbers: dict[tuple[str, int, int], int] = {}
    citations: list[Citation] = []
    markers: list[tuple[int, int]] = []
    for position, _, quote, hit in placed:
        key = (quote.document_id, quote.start, quote.end)
        if key not in numbers:
            numbers[key] = len(numbers) + 1
            citations.append(citation(numbers[key], quote, hit))
        markers.append((position, numbers[key]))
    return mark(candidate.text, markers), tuple(citations)


def checked(candidate: Candidate, hits: Sequence[Hit]) -> Candidate:
    """The candidate with only those quotes that stand in their documents, so that no judge counts another one."""
    true = tuple(q for q in candidate.quotes if source_of(q, (*candidate.evidence, *hits)) is not None)
    return candidate if true == candidate.quotes else replace(candidate, quotes=true)


def source_of(quote: Quote, hits: Sequence[Hit]) -> Hit | None:
    """The hit that the quote was read in, None when its words do not stand in its document."""
    of_document = [hit for hit in hits if hit.document.id == quote.document_id]
    if not of_document or not verify(quote, of_document[0].document):
        return None
    around = [hit for hit in of_document if hit.passage.start <= quote.start and quote.end <= hit.passage.end]
    return (around or of_document)[0]


def citation(number: int, quote: Quote, hit: Hit) -> Citation:
    document, passage = hit.document, hit.passage
    return Citation(
        number=number,
        document_id=document.id,
        title=document.title,
        url=document.url,
        published_at=document.published_at,
        page=passage.page,
        quote=quote.text,
        start=quote.start,
        end=quote.end,
        passage_id=passage.id,
    )


def place(text: str, quote: Quote) -> int:
    """Where the quote's marker belongs: after the sentence that repeats the quote, else at the end of the text."""
    found = align(quote.text, text) or next(
        (where for start, end in sentences(quote.text) if (where := align(quote.text[start:end], text))), None
    )
    if found is None:
        return len(text.rstrip())
    ends = [end for _, end in sentences(text) if end >= found[1]]
    end = ends[0] if ends else len(text)
    return len(text[:end].rstrip())


def mark(text: str, markers: Sequence[tuple[int, int]]) -> str:
    """The text with [number] at each (position, number); markers ascend by position."""
    pieces: list[str] = []
    before = 0
    for position, number in sorted(set(markers)):
        piece = LOOKS_LIKE_MARKER.sub(f"[{WORD_JOINER}", text[before:position])
        pieces.append(piece)
        spaced = position > before and bool(piece) and piece[-1].isascii()
        pieces.append(f"{' ' if spaced else ''}[{number}]")
        before = position
    pieces.append(LOOKS_LIKE_MARKER.sub(f"[{WORD_JOINER}", text[before:]))
    return "".join(pieces)


def without_markers(text: str) -> str:
    """What was said, as words alone: for the history that a policy reads, and for exported dialogues."""
    return MARKER.sub("", text).replace(WORD_JOINER, "")
