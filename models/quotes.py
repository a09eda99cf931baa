"""Quotes: verbatim words of a document, whole sentences where they fit, checked before anyone sees them."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from indexing.split import ITEM, sentences
from indexing.types import Document, Hit
from models.types import Quote

Bounds = tuple[int, int]

MOST_SENTENCES = 2
MOST_WORDS = 60
MOST_CHINESE = 120

CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
CLAUSE_END = re.compile(r"[，、；：。！？]+[”’」』）]*|[,;:.!?–—]+[\"”’)]*(?=\s)|\s[–—-](?=\s)|\n+")
ANAPHOR = re.compile(
    r"(?:he|she|it|its|his|her|hers|they|their|theirs|this|these|that|those|such|there|here|both"
    r"|the (?:former|latter))\b"
    r"|[他她它牠祂其此這这該该]",
    re.IGNORECASE,
)
"""How a sentence begins that points at the one before it."""
SEMICOLON = re.compile(r"；[”’」』）》〉】)\"]*(?:\[\d{1,4}\])*$")


def size(text: str) -> float:
    """How much of the allowance a text uses: words / 60 plus Chinese characters / 120; 1 is the most."""
    chinese = len(CHINESE.findall(text))
    words = len(WORD.findall(CHINESE.sub(" ", text)))
    return words / MOST_WORDS + chinese / MOST_CHINESE


def whole_sentences(text: str) -> list[Bounds]:
    """The sentences of a text as quotes count them, in order.

    What `；` sets apart within a line is one, and so is a list with the words that introduce it (by a colon, or a
    question): a cell, a condition or an item alone has lost what it speaks of. Where that is over the allowance, each
    part is one.
    """

    def same_row(run: Sequence[Bounds], following: Bounds) -> bool:
        begin, stop = run[-1]
        return "\n" not in text[stop : following[0]] and SEMICOLON.search(text[begin:stop]) is not None

    def same_list(run: Sequence[Bounds], following: Bounds) -> bool:
        own_line = "\n" in text[run[-1][1] : following[0]]
        if not text[slice(*run[0])].endswith((":", "：", "?", "？")):
            return False
        return ITEM.match(text, following[0]) is not None if own_line else len(run) > 1

    return together(text, together(text, sentences(text), same_row), same_list)


def together(text: str, bounds: Sequence[Bounds], goes_on: Callable[[Sequence[Bounds], Bounds], bool]) -> list[Bounds]:
    """Neighbours that go on with the ones before them as one, where all of them fit the allowance."""
    runs: list[list[Bounds]] = []
    for each in bounds:
        if runs and goes_on(runs[-1], each):
            runs[-1].append(each)
        else:
            runs.append([each])
    found: list[Bounds] = []
    for run in runs:
        one = run[0][0], run[-1][1]
        found += [one] if size(text[slice(*one)]) <= 1 else run
    return found


def sentence_bounds(text: str, start: int, end: int, also: Bounds | None = None) -> Bounds:
    """Where the whole sentence or two around `text[start:end]` begin and end.

    A second sentence joins where the span crosses into it, else where `also` (another span of the text that says
    something on the question) lies next door, else where the sentence opens with a word that points back at the one
    before. A sentence over the allowance is cut at clause boundaries around the span.
    Raises ValueError when the span is empty or outside the text.
    """
    if not 0 <= start < end <= len(text):
        raise ValueError(f"the span {start}:{end} does not lie in a passage of {len(text)} characters")
    bounds = whole_sentences(text) or [(0, len(text))]
    first, last = touching(bounds, start, end)
    if last - first >= MOST_SENTENCES:
        last = first + MOST_SENTENCES - 1
    begin, stop = bounds[first][0], bounds[last][1]
    if size(text[begin:stop]) > 1:
        begin, stop = trimmed(text, (begin, stop), (start, min(end, stop)))
    elif first == last:
        begin, stop = with_neighbour(text, bounds, first, also)
    return stripped(text, begin, stop)


def quotes_of(hit: Hit, places: Sequence[Bounds]) -> tuple[Quote, ...]:
    """Stretches of the passage as quotes of its document; none when one of them fails its check."""
    found = []
    for begin, stop in places:
        low, high = stripped(hit.passage.text, begin, stop)
        shift = hit.passage.start
        found.append(Quote(hit.document.id, shift + low, shift + high, hit.passage.text[low:high]))
    return tuple(found) if all(verify(quote, hit.document) for quote in found) else ()


def touching(bounds: Sequence[Bounds], start: int, end: int) -> Bounds:
    """Indexes of the first and the last sentence that share a character with start:end.

    A span between two sentences (only white space there) belongs to the one before it.
    """
    first = max((n for n, (begin, _) in enumerate(bounds) if begin <= start), default=0)
    if start >= bounds[first][1] and first + 1 < len(bounds) and bounds[first + 1][0] < end:
        first += 1
    last = max((n for n, (begin, _) in enumerate(bounds) if begin < end), default=first)
    return first, max(first, last)


def with_neighbour(text: str, bounds: Sequence[Bounds], own: int, also: Bounds | None) -> Bounds:
    """The bounds of sentence `own`, with the neighbour it needs when both fit the allowance and share a line."""
    order: list[int] = []
    if also is not None:
        other = touching(bounds, *also)[0]
        if abs(other - own) == 1:
            order.append(other)
    if own and ANAPHOR.match(text, bounds[own][0]):
        order.append(own - 1)
    for other in order:
        begin, stop = bounds[min(own, other)][0], bounds[max(own, other)][1]
        gap = text[bounds[min(own, other)][1] : bounds[max(own, other)][0]]
        if size(text[begin:stop]) <= 1 and "\n" not in gap and not gap.strip():
            return begin, stop
    return bounds[own]


def trimmed(text: str, sentence: Bounds, span: Bounds) -> Bounds:
    """The longest run of clauses around `span` inside `sentence` that fits the allowance.

    Clauses are added in turn on both sides; where the span's own clauses are too long, words are (characters in
    Chinese). A span that is itself too long is cut at its end.
    """
    edges = [sentence[0]]
    edges += [match.end() for match in CLAUSE_END.finditer(text, *sentence) if match.end() < sentence[1]]
    begin, stop = grown(text, span, [*edges, sentence[1]])
    if size(text[begin:stop]) <= 1:
        return begin, stop
    words = [match.start() for match in re.finditer(rf"{CHINESE.pattern}|(?<!\w)\w", text[slice(*sentence)])]
    marks = [sentence[0], *(sentence[0] + mark for mark in words), sentence[1]]
    begin, stop = grown(text, span, marks)
    while size(text[begin:stop]) > 1:
        stop = max(mark for mark in marks if mark < stop)
    return begin, stop


def grown(text: str, span: Bounds, edges: Sequence[int]) -> Bounds:
    """`span` widened to the `edges` around it, then edge by edge on both sides while it fits."""
    left = [edge for edge in edges if edge <= span[0]]
    right = [edge for edge in edges if edge >= span[1]]
    begin, stop = left.pop(), right.pop(0)
    grew = True
    while grew:
        grew = False
        if left and size(text[left[-1] : stop]) <= 1:
            begin, grew = left.pop(), True
        if right and size(text[begin : right[0]]) <= 1:
            stop, grew = right.pop(0), True
    return begin, stop


def stripped(text: str, begin: int, stop: int) -> Bounds:
    """The bounds without white space at either end."""
    piece = text[begin:stop]
    return begin + len(piece) - len(piece.lstrip()), stop - (len(piece) - len(piece.rstrip()))


def verify(quote: Quote, document: Document) -> bool:
    """Whether the quote stands in the document, word for word, and within the allowance."""
    if quote.document_id != document.id or not 0 <= quote.start < quote.end <= len(document.text):
        return False
    if document.text[quote.start : quote.end] != quote.text:
        return False
    return bool(quote.text.strip()) and size(quote.text) <= 1 and len(whole_sentences(quote.text)) <= MOST_SENTENCES


def align(text: str, passage: str) -> Bounds | None:
    """Where `text` stands in `passage`, tolerant of white space, width, case and kind of quotation mark.

    Marks around the text are ignored when it is not found with them. Letters must match whole words.
    """
    folded, origin = fold(passage)
    for wanted in (fold(text)[0], fold(text.strip(" \t\n\"'“”‘’「」『』.。…,，"))[0]):
        at = folded.find(wanted) if wanted else -1
        while at >= 0:
            start, end = origin[at], origin[at + len(wanted) - 1] + 1
            if whole_words(passage, start, end):
                return start, end
            at = folded.find(wanted, at + 1)
    return None


def fold(text: str) -> tuple[str, list[int]]:
    """The text without white space, in one width and case, and the place each character came from."""
    folded: list[str] = []
    origin: list[int] = []
    for place, character in enumerate(text):
        for piece in unicodedata.normalize("NFKC", character).casefold():
            if not piece.isspace():
                folded.append(ALIKE.get(piece, piece))
                origin.append(place)
    return "".join(folded), origin


ALIKE = {
    **dict.fromkeys("“”„«»「」『』", '"'),
    **dict.fromkeys("‘’`´", "'"),
    **dict.fromkeys("‐‑‒–—−", "-"),
    "。": ".",
    "、": ",",
}


def whole_words(text: str, start: int, end: int) -> bool:
    """Whether neither end of the span cuts a Latin word or a number in two."""
    return not (joined(text, start) or joined(text, end))


def joined(text: str, place: int) -> bool:
    """Whether the characters before and at `place` belong to one word."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    return before.isalnum() and after.isalnum() and not (CHINESE.match(before) or CHINESE.match(after))
