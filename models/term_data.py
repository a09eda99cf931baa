"""What the choice of left-out words is learnt from: conversations, and in each the words that the last turn needs."""

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexing.split import sentences
from models.hard_pairs import COUNTED, NAME
from models.json_lines import read_lines
from models.quotes import CHINESE
from models.reader_rows import Row, read_rows
from models.types import Turn
from models.words import CHINESE_STOP_PATTERN, STOP_WORDS, latin_words

KDCONV_ROWS = 4_000
SELF_CONTAINED = 0.3
"""Share of made conversations whose last turn needs nothing."""
PRONOUNS = {
    "en": ("it", "they", "he", "she", "this", "that"),
    "zh": ("它", "他", "她", "他们", "这个", "这里", "其", "", ""),
}
"""What is put for a name that is taken out; in Chinese often nothing."""
NAMED = re.compile(r"[\u3400-\u9fff]{2,}")


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation, the words of its earlier turns that the last one needs, and the question as it was before
    anything was taken out ("" where the source has none). `group` never crosses a split."""

    turns: tuple[Turn, ...]
    needed: tuple[str, ...]
    whole: str
    language: str
    group: str
    source: str


def examples(data: Path, seed: int = 0) -> list[Example]:
    """All training conversations. Raises BadInput when a file is absent."""
    rng = random.Random(seed)
    made = [*canard(data), *kdconv(data, rng)]
    for name in ("squad.train", "drcd.train", "cmrc.train"):
        made += made_up(read_rows(data / "qa" / f"{name}.jsonl.gz"), rng)
    return made


def canard(data: Path) -> Iterator[Example]:
    """CANARD: what the rewrite says more than the turn, where it was said before. The first question stands as its
    rewrite, since the article's title, which it leans on, is no turn."""
    rows = read_lines(data / "rewrite" / "canard.train.jsonl.gz")
    alone = {row["dialogue_id"]: row["rewrite"] for row in rows if len(row["history"]) == 2}
    for row in rows:
        texts = row["history"][2:]
        if not texts or row["dialogue_id"] not in alone:
            continue
        texts = [alone[row["dialogue_id"]], *texts[1:]]
        turns = [Turn("assistant" if place % 2 else "user", text) for place, text in enumerate(texts)]
        said = {word.casefold() for word in latin_words(row["question"])} | STOP_WORDS
        heard = {word.casefold() for text in texts for word in latin_words(text)}
        more = [word for word in latin_words(row["rewrite"]) if word.casefold() not in said]
        needed = tuple(dict.fromkeys(word for word in more if word.casefold() in heard))
        whole = row["rewrite"]
        yield Example((*turns, Turn("user", row["question"])), needed, whole, "en", row["dialogue_id"], "canard")


def kdconv(data: Path, rng: random.Random) -> Iterator[Example]:
    """KdConv: the things that the next reply draws facts on, where they were named before and not in the last turn."""
    rows = read_lines(data / "sft" / "kdconv.train.jsonl.gz")
    rows = [row for row in rows if row["evidence"] and len(row["dialogue"]) > 1]
    for row in rng.sample(rows, min(KDCONV_ROWS, len(rows))):
        turns = tuple(Turn(turn["role"], turn["text"]) for turn in row["dialogue"])
        titles = dict.fromkeys(re.split(r"[（(]", fact["title"])[0].strip() for fact in row["evidence"])
        heard = "\n".join(turn.text for turn in turns[:-1])
        if any(title in turns[-1].text for title in titles):
            needed: tuple[str, ...] = ()
        else:
            needed = tuple(title for title in titles if len(title) > 1 and title in heard)
            if not needed:
                continue  # what it leans on was said too long ago: nothing to learn
        yield Example(turns, needed, "", "zh", row["topic"], "kdconv")


def made_up(rows: Sequence[Row], rng: random.Random) -> Iterator[Example]:
    """Conversations about one article, made of its questions: the last one shares a name with an earlier turn, which
    is taken out of it or replaced by a pronoun."""
    articles: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.answers:
            articles[row.article].append(row)
    everyone = [row for own in articles.values() for row in own]
    for article, own in articles.items():
        for last in own:
            near = [row for row in own if row is not last and row.context == last.context] or [
                row for row in own if row is not last
            ]
            if not near:
                continue
            before = rng.choice(near)
            told = answered(before, rng)
            share = shared_name(before.question + "\n" + told, last.question, last.language)
            fillers = rng.sample(everyone, rng.choice((0, 0, 1, 2)))
            turns: list[Turn] = []
            for filler in fillers:
                if share and share in filler.question:
                    continue
                turns += [Turn("user", filler.question), Turn("assistant", answered(filler, rng))]
            turns += [Turn("user", before.question), Turn("assistant", told)]
            plain = share is None or rng.random() < SELF_CONTAINED
            if share is None and rng.random() >= SELF_CONTAINED:
                continue
            asked = last.question if plain else left_out(last.question, str(share), last.language, rng)
            needed = () if plain else (str(share),)
            yield Example((*turns, Turn("user", asked)), needed, last.question, last.language, article, last.source)


def answered(row: Row, rng: random.Random) -> str:
    """The bare answer, or the sentence that holds it."""
    for start, end in sentences(row.context):
        if row.answers[0] in row.context[start:end] and rng.random() < 0.6:
            return row.context[start:end].strip()
    return row.answers[0]


def shared_name(before: str, question: str, language: str) -> str | None:
    """The longest name that a question shares with what was said before; in Chinese the longest stretch of characters
    without question words."""
    if language == "en":
        names = [name for name in NAME.findall(question) if name in before and not name[0].isdigit()]
        return max(names, key=len, default=None)
    found: list[str] = []
    for run in NAMED.findall(CHINESE_STOP_PATTERN.sub(" ", question)):
        for length in range(min(len(run), 10), 1, -1):
            stretches = [run[at : at + length] for at in range(len(run) - length + 1) if not COUNTED.match(run[at])]
            if match := next((one for one in stretches if one in before), None):
                found.append(match)
                break
    return max(found, key=len, default=None)


def left_out(question: str, name: str, language: str, rng: random.Random) -> str:
    """The question with a pronoun, or nothing, for the name."""
    put = rng.choice(PRONOUNS[language])
    if language == "en":
        possessive = {"it": "its", "they": "their", "he": "his", "she": "her", "this": "its", "that": "its"}[put]
        text = re.sub(rf"(?:\bthe )?{re.escape(name)}['’]s\b", possessive, question)
        return re.sub(rf"(?:\b[Tt]he )?{re.escape(name)}", put, text)
    text = question.replace(name, put)
    return text if put else re.sub(r"^的", "", text)


def is_needed(text: str, span: tuple[int, int], needed: Sequence[str]) -> bool:
    """Whether a span of a turn lies in a needed word."""
    start, end = span
    for word in needed:
        pattern = re.escape(word) if CHINESE.search(word) else rf"\b{re.escape(word)}\b"
        if any(match.start() <= start and end <= match.end() for match in re.finditer(pattern, text, re.IGNORECASE)):
            return True
    return False
