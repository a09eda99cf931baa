"""Questions made from plain text: a sentence with a stretch of it asked for, beside a passage that says the same again.

A stretch that stands in a sentence and once more in the rest of its text is asked for with that rest as the passage
(recurring spans, Ram et al. 2021); another is asked for with part of its sentence's words, beside the whole text
(Lewis et al. 2019). The reader meets twenty times as many passages in this way as people have asked about.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexing.split import sentences
from models.quotes import CHINESE
from models.reader_rows import Bounds, Row

TOKEN = re.compile(r"[A-Za-zÀ-ÿ]+(?:['’-][A-Za-zÀ-ÿ]+)*|\d+(?:[.,]\d+)*|[\u3400-\u9fff]")
"""What a sentence is cut into: a Latin word, a number, or a Chinese character."""
LONGEST = {"en": 5, "zh": 10}
"""Most tokens of a stretch that is asked for."""
COMMON = 0.01
"""A stretch in a larger share of the texts than this names nothing."""
EACH = 3
"""Most questions a text."""
WINDOW = {"en": 350, "zh": 130}
"""Characters of a passage, about: the training shows no more of it."""
KEPT = 0.6
"""Share of its words that a sentence keeps where the passage holds it."""
SHORT, LONG = 5, 45
"""Least and most tokens of a sentence that becomes a question."""
LONG_WORD = 7
"""Least letters of an English word in lower case that is asked for."""
MARKED = re.compile(r"[《「“]([^》」”]{2,12})[》」”]|\d[\d.,]*(?:[万萬亿億]|年(?:\d+月)?(?:\d+日)?)?")
YEAR = re.compile(r"^(?:1\d|20)\d\d$")
ASKED = {
    ("en", "year"): ("when", "in what year"),
    ("en", "number"): ("how many", "how much", "what number"),
    ("en", "name"): ("who", "what", "which", "where"),
    ("en", "word"): ("what", "which"),
    ("zh", "year"): ("什么时候", "哪一年", "何时", "什麼時候"),
    ("zh", "number"): ("多少", "几", "幾"),
    ("zh", "name"): ("什么", "谁", "哪里", "什麼", "誰", "哪個"),
    ("zh", "word"): ("什么", "什麼", "哪个"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text to make questions of; `article` decides on which side of the development split it falls."""

    article: str
    text: str
    language: str


def clozes(texts: Sequence[Text], most: int, rng: random.Random) -> list[Row]:
    """At most `most` rows whose questions are made from the texts, the same number of each language where it has
    them."""
    known = Counter(token for one in texts for token in {match.group().lower() for match in TOKEN.finditer(one.text)})
    limit = {"en": COMMON * len(texts), "zh": 3 * COMMON * len(texts)}
    made: dict[str, list[Row]] = {"en": [], "zh": []}
    for text in rng.sample(list(texts), len(texts)):
        own = made[text.language]
        if len(own) < most // 2 and "may refer to" not in text.text:
            own += rows_of(text, known, limit[text.language], rng)
    return made["en"][: most // 2] + made["zh"][: most // 2]


def rows_of(text: Text, known: Counter[str], limit: float, rng: random.Random) -> list[Row]:
    """The questions of one text."""
    made: list[Row] = []
    answers: list[str] = []
    bounds = sentences(text.text)
    for low, high in rng.sample(bounds, len(bounds)):
        sentence = text.text[low:high]
        rest = f"{text.text[:low]}{text.text[high:].lstrip()}".strip()
        tokens = list(TOKEN.finditer(sentence))
        if not SHORT <= len(tokens) <= LONG or len(made) >= EACH:
            continue
        named = [edges(tokens, span) for span in stretches(tokens, text.language) if rare(tokens, span, known, limit)]
        again = longest([span for span in named if whole(sentence[slice(*span)], rest)])
        spans = again or (longest(named) if text.language == "en" else marked(sentence))
        fresh = [span for span in spans if not any(met(sentence[slice(*span)], other) for other in answers)]
        if not fresh:
            continue
        start, end = rng.choice(fresh)
        question = asked(sentence, start, end, text.language, rng, 1.0 if again else KEPT)
        answers.append(sentence[start:end])
        row = f"{text.article} {len(made)}"
        passage = near(rest if again else text.text, answers[-1], WINDOW[text.language], rng)
        made.append(Row(row, "cloze", text.language, text.article, passage, question, (answers[-1],), None))
    return made


def near(passage: str, answer: str, most: int, rng: random.Random) -> str:
    """The sentences around one place of the answer, of about `most` characters together."""
    bounds = sentences(passage)
    place = rng.choice([match.start() for match in re.finditer(re.escape(answer), passage)])
    first = last = next((n for n, (_, end) in enumerate(bounds) if place < end), len(bounds) - 1)
    while bounds[last][1] - bounds[first][0] < most and (first > 0 or last < len(bounds) - 1):
        if first > 0 and (last == len(bounds) - 1 or rng.random() < 0.5):
            first -= 1
        else:
            last += 1
    return passage[bounds[first][0] : bounds[last][1]]


def stretches(tokens: Sequence[re.Match[str]], language: str) -> Iterator[Bounds]:
    """Runs of tokens (first, last) that may be asked for: in Chinese two characters or more that touch; in English
    capitalised words and numbers, and single long words."""
    for first, token in enumerate(tokens):
        if language == "en" and token.group()[0].islower():
            if len(token.group()) >= LONG_WORD:
                yield first, first
            continue
        for last in range(first, min(first + LONGEST[language], len(tokens))):
            gap = tokens[last].start() - tokens[last - 1].end() if last > first else 0
            if gap > (language == "en") or (language == "en" and tokens[last].group()[0].islower()):
                break
            if last > first or language == "en":
                yield first, last


def longest(spans: Sequence[Bounds]) -> list[Bounds]:
    """Those that lie in no other."""
    return [span for span in spans if not any(o != span and o[0] <= span[0] and span[1] <= o[1] for o in spans)]


def marked(sentence: str) -> list[Bounds]:
    """Where a Chinese sentence shows the ends of a stretch itself: between quotation marks, and numbers."""
    return [match.span(match.lastindex or 0) for match in MARKED.finditer(sentence)]


def met(one: str, other: str) -> bool:
    """Whether one answer lies in the other."""
    return one.lower() in other.lower() or other.lower() in one.lower()


def edges(tokens: Sequence[re.Match[str]], span: tuple[int, int]) -> tuple[int, int]:
    """Character positions of a run of tokens."""
    return tokens[span[0]].start(), tokens[span[1]].end()


def rare(tokens: Sequence[re.Match[str]], span: Bounds, known: Counter[str], limit: float) -> bool:
    """Whether a run of tokens names something: it holds a rare token (Chinese: at both ends), or a number."""
    own = [tokens[place].group() for place in range(span[0], span[1] + 1)]
    if CHINESE.match(own[0]) or CHINESE.match(own[-1]):
        own = [own[0], own[-1]]
        return all(token[0].isdigit() or known[token.lower()] <= limit for token in own)
    if span == (0, 0) and not own[0][0].isdigit():
        return known[own[0].lower()] <= limit / 10  # a capital because it begins the sentence
    return any(token[0].isdigit() or known[token.lower()] <= limit for token in own)


def whole(answer: str, passage: str) -> bool:
    """Whether a passage holds the answer, in English as whole words."""
    if CHINESE.search(answer):
        return answer in passage
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", passage) is not None


def asked(sentence: str, start: int, end: int, language: str, rng: random.Random, kept: float) -> str:
    """The sentence as a question for what stands at start:end, with about the share `kept` of its other words."""
    answer = sentence[start:end]
    kind = (
        "year"
        if YEAR.match(answer) or answer.endswith("年")
        else "number"
        if answer[0].isdigit()
        else "name"
        if language == "zh" or answer[0].isupper()
        else "word"
    )
    word = rng.choice(ASKED[language, kind])
    before, after = (thinned(part, language, kept, rng) for part in (sentence[:start], sentence[end:]))
    if language == "zh":
        return f"{before}{word}{after}".strip(" 。，、；") + "？"
    if rng.random() < 0.5:
        return f"{word.capitalize()} {after} {before}".replace("  ", " ").strip(" .,;:") + "?"
    line = f"{before} {word} {after}".replace("  ", " ").strip(" .,;:")
    return line[:1].upper() + line[1:] + "?"


def thinned(part: str, language: str, kept: float, rng: random.Random) -> str:
    """A stretch of a sentence with some of its words left out (Chinese: some of its stretches between marks)."""
    if kept >= 1:
        return part.strip()
    units = re.findall(r"[^，、；：,]+[，、；：,]?", part) if language == "zh" else part.split()
    left = [unit for unit in units if rng.random() < kept] or units[:1]
    return ("" if language == "zh" else " ").join(left).strip()
