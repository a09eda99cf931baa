"""Trains the search decision inside a conversation: which later turns ask something of the documents.

The decision for a turn that stands alone has never met "by whom?". This head is shown later turns in their
conversations: questions that lean on what was said, and what else people say between two questions.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexing.types import Encoder, Progress
from models.fit import Recipe, binary_loss, calibrated, f_measure, fit, fold, threshold_curve
from models.heads import Head, HeadConfig, file_sha256
from models.json_lines import read_lines
from models.plan import ASKS, CUES, turn_features
from models.reader_rows import read_rows as read_questions
from models.rewrite import rewrite
from models.term_data import canard, made_up
from models.train_plan import OWN, Part, Row, correct, draw, read_rows, replace_labels, table_rows, tested_rows
from models.types import Conversation, Turn
from models.vectors import query_vectors

INSIDE = Path(__file__).parent / "examples" / "inside.jsonl"
"""Short turns of our own, of both kinds."""
READING, MADE_UP = ("squad.train", "drcd.train", "cmrc.train"), 1500
"""Reading sets, and how many conversations are made of each."""
KDCONV_ROWS = 2500
"""Chinese chat turns of each kind."""
SHORT = 0.4
"""Share of the made conversations whose last turn is cut down to its question phrase."""
OPENED, SET_RIGHT = 0.2, 0.08
"""Shares of them that begin with a phrase that leads back to something, and that only put a name right."""
OPENERS = {
    "en": (
        "back to that: ", "returning to the first point, ", "one more question: ", "coming back to this, ",
        "earlier you spoke of it, ", "and again, ", "about that once more: ", "sorry, i meant to ask ",
        "no, what i want to know is ", "oh wait, ", "ok and ", "thanks, and ", "i see. so ", "hm, but ",
    ),
    "zh": (
        "回到刚才，", "再问一下，", "说回前面那个，", "还是刚才那个，", "接着问，", "我想问的是，", "不是，我问的是",
        "对了，", "那么，", "好的，那", "谢谢，那", "明白了，", "前面说的，", "等等，",
    ),
}  # fmt: skip
"""What people say before a question that goes on with a conversation."""
MEANT = {
    "en": ("no, {}", "i meant {}", "not that one, {}", "no, i mean {}", "actually {}", "i was asking about {}"),
    "zh": ("不是，是{}", "我说的是{}", "我问的是{}", "不对，是{}", "说错了，是{}", "我指{}"),
}
"""How a name is put right."""
UNSEARCHED = 4000
"""Turns that need no search, put behind a conversation."""
CONTEXTS = 3
"""Conversations that each turn of our own is put behind."""
OWN_WEIGHT = 8.0
"""Ours are few beside the composed ones, and the ones whose kinds differ in need and not in style."""
BETA = 2.0
"""A question that is not searched is not answered; a remark that is searched is mostly still heard as one."""
RECIPE = Recipe(hidden=(64,), epochs=12, rate=1e-3, decay=5e-2, dropout=0.3)

PHRASE = re.compile(
    r"\b((?:(?:in|at|on|by|for|from|to|with|of|since|until) )?(?:what|which|whose|how (?:many|much|long|old|far|often)|"
    r"when|where|who|whom|why|how)\b)((?: [\w'-]+){0,3})",
    re.IGNORECASE,
)
VERBS = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might|must|be|been)$", re.IGNORECASE
)
PHRASE_CHINESE = re.compile(r"是?(?:谁|誰|什么|什麼|哪|何|几|幾|多少|怎|为什么|為什麼|有多).{0,10}$")
LEAST_PHRASE = 2
"""Characters of a Chinese question phrase."""


@dataclass(frozen=True, slots=True)
class Later:
    """A conversation whose last turn is searched or not; `group` never crosses a split."""

    conversation: Conversation
    search: bool
    kind: str
    language: str
    group: str
    own: bool = False


def train_followup(
    data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Head:
    """Trains and writes the decision into `out`: weights, config, card and the picture of its curve. `home` holds the
    base models; vectors are kept in `cache` (default home/vectors)."""
    from models.encoder import load_encoder

    encoder = load_encoder("multilingual-e5-small", home)
    split = parts(data, encoder, cache or home / "vectors", seed, progress)
    checksums = {name: file_sha256(data / name) for name in sources()}
    checksums |= {f"examples/{path.name}": file_sha256(path) for path in (OWN, INSIDE)}
    notes = {"inputs": f"vectors [768] of the turn as resolved and as written, each with {', '.join(CUES)}"}
    config = HeadConfig("followup", encoder.fingerprint, seed, ("search",), checksums, notes=notes)
    head = fitted(split["train"], split["development"], config, seed)
    development = split["development"]
    curve = threshold_curve(head.probabilities(development.features)[:, 0], development.labels)
    threshold = max(curve, key=lambda row: f_measure(row, BETA))[0]
    head = Head(replace(head.config, thresholds={"search": threshold}, curves={"search": curve}), head.layers)
    head.save(out)
    luck = fitted(replace_labels(split["train"], seed), replace_labels(development, seed), config, seed)
    write_card(out, head, luck, split)
    draw(out / "curve.png", curve, head.config.thresholds["search"])
    return head


def sources() -> list[str]:
    """Files of the data folder that are read."""
    reading = [f"qa/{name}.jsonl.gz" for name in READING]
    return ["search-decision/train.jsonl.gz", "rewrite/canard.train.jsonl.gz", "sft/kdconv.train.jsonl.gz", *reading]


def fitted(train: Part[Later], development: Part[Later], config: HeadConfig, seed: int) -> Head:
    """The head, calibrated on development data."""
    weights = [OWN_WEIGHT if turn.own else 1.0 for turn in train.rows]
    head = fit(train.features, binary_loss(train.labels, weights), config, replace(RECIPE, seed=seed))
    return calibrated(head, development.features, development.labels)


def parts(data: Path, encoder: Encoder, cache: Path, seed: int, progress: Progress | None) -> dict[str, Part[Later]]:
    """Training, development (a fifth by hash), our own held-out turns, and a test of other articles and turns."""
    split: dict[str, list[Later]] = {"train": [], "development": [], "own": []}
    for turn in turns(data, seed):
        place = fold(turn.group)
        split["development" if place == 0 else "own" if turn.own and place == 1 else "train"].append(turn)
    split["test"] = tests(data, seed)
    made = {}
    for name, chosen in split.items():
        resolved = [rewrite(turn.conversation).text for turn in chosen]
        written = [turn.conversation.question for turn in chosen]
        vectors = query_vectors(encoder, [*resolved, *written], cache, progress, f"encode {name}")
        features = turn_features(resolved, vectors[: len(chosen)], written, vectors[len(chosen) :])
        made[name] = Part(chosen, features, np.array([turn.search for turn in chosen], dtype=np.float32))
    return made


def turns(data: Path, seed: int) -> list[Later]:
    """All later turns to learn from. Raises BadInput when a file is absent."""
    rng = random.Random(seed)
    asked = [
        Later(Conversation(one.turns), True, "canard", "en", one.group) for one in canard(data) if len(one.turns) > 1
    ]
    for name in READING:
        asked += questions(data, name, MADE_UP, rng)
    before = contexts(asked)
    chat = list(kdconv(data, rng))
    plain = [row for row in read_rows(data / "search-decision" / "train.jsonl.gz") if not row.search]
    plain = rng.sample(plain, min(UNSEARCHED, len(plain)))
    plain += [row for row in read_rows(OWN) if not row.search]
    own = [row for row in read_rows(INSIDE) for _ in range(CONTEXTS)]
    return [*asked, *chat, *(behind(row, before, rng) for row in (*plain, *own))]


def tests(data: Path, seed: int) -> list[Later]:
    """Later turns of other articles, and turns of the released test file behind them."""
    rng = random.Random(seed)
    asked = [one for name in ("squad.test", "drcd.test") for one in questions(data, name, 400, rng)]
    asked += list(cast(data))
    before = contexts(asked)
    return [*asked, *(behind(row, before, rng) for row in tested_rows(data) if not row.search)]


def questions(data: Path, name: str, most: int, rng: random.Random) -> list[Later]:
    """Later turns made of the questions of a reading set: with a pronoun for a name, cut down to what they ask, begun
    as people go on, or only a name put right."""
    made = list(made_up(read_questions(data / "qa" / f"{name}.jsonl.gz"), rng))
    found = []
    for one in rng.sample(made, min(most, len(made))):
        *earlier, last = one.turns
        text, kind = last.text, "question"
        chance = rng.random()
        if chance < SET_RIGHT and one.needed:
            text, kind = rng.choice(MEANT[one.language]).format(one.needed[0]), "put right"
        elif chance < SET_RIGHT + OPENED:
            text, kind = rng.choice(OPENERS[one.language]) + text, "led back"
        elif short := question_phrase(text, one.language) if rng.random() < SHORT else "":
            text, kind = short, "phrase"
        asked = Conversation((*earlier, Turn("user", text)))
        found.append(Later(asked, True, kind, one.language, one.group))
    return found


def question_phrase(question: str, language: str) -> str:
    """What is asked, without what it is asked of: "what percentage?"; "" where that cannot be told.

    >>> question_phrase("What percentage of teachers feel stressed?", "en"), question_phrase("甲在哪一年出生？", "zh")
    ('what percentage?', '哪一年出生？')
    """
    if language == "zh":
        match = PHRASE_CHINESE.search(question)
        return match.group() if match and len(match.group()) > LEAST_PHRASE else ""
    match = PHRASE.search(question)
    if not match:
        return ""
    words = [match.group(1).lower()]
    for word in match.group(2).split():
        if VERBS.match(word) or word in ("of", "the", "a", "an"):
            break
        words.append(word)
    return " ".join(words) + "?"


def kdconv(data: Path, rng: random.Random) -> Iterator[Later]:
    """Chinese chat turns: questions that were answered with facts, and remarks and questions about oneself that were
    not."""
    rows = [row for row in read_lines(data / "sft" / "kdconv.train.jsonl.gz") if len(row["dialogue"]) > 1]
    kinds: dict[bool, list[Later]] = {True: [], False: []}
    for row in rows:
        said = tuple(Turn(turn["role"], turn["text"]) for turn in row["dialogue"])
        marked, asks = said[-1].text.rstrip()[-1:] in "?？", ASKS.search(said[-1].text) is not None
        search = marked and bool(row["evidence"])
        if search or (not row["evidence"] and ("你" in said[-1].text or not (marked or asks))):
            kinds[search].append(Later(Conversation(said), search, "kdconv", "zh", row["topic"]))
    for own in kinds.values():
        yield from rng.sample(own, min(KDCONV_ROWS, len(own)))


def cast(data: Path) -> Iterator[Later]:
    """CAsT 2019's turns that have a history; its answers are not told."""
    for row in read_lines(data / "rewrite" / "cast2019.test.jsonl.gz"):
        if row["history"]:
            said = [Turn("user", text) for text in (*row["history"], row["question"])]
            yield Later(Conversation(tuple(said)), True, "cast2019", "en", row["id"])


def contexts(asked: Sequence[Later]) -> dict[str, list[tuple[Turn, ...]]]:
    """What stands before the last turns, by language."""
    found: dict[str, list[tuple[Turn, ...]]] = {"en": [], "zh": []}
    for one in asked:
        found[one.language].append(one.conversation.turns[:-1])
    return found


def behind(row: Row, before: Mapping[str, Sequence[tuple[Turn, ...]]], rng: random.Random) -> Later:
    """A turn behind a conversation about something."""
    said = (*rng.choice(before[row.lang]), Turn("user", row.text))
    return Later(Conversation(said), row.search, row.kind, row.lang, row.group, row.own)


def write_card(out: Path, head: Head, luck: Head, split: Mapping[str, Part[Later]]) -> None:
    """card.md: data, licence, figures with 95% intervals beside a baseline, limits."""
    threshold, train = head.config.thresholds["search"], split["train"]
    lines = [
        "# Search decision inside a conversation",
        "",
        "Probability that a later turn asks something of the documents: a head on the frozen vectors of the turn, as",
        f"the conversation resolves it and as it was written (multilingual-e5-small), and {len(CUES)} cues of each.",
        f"Hidden layer {RECIPE.hidden[0]}, calibrated (Platt); the threshold {threshold:.2f} has the best F{BETA:.0f}",
        "on development data (a fifth by hash), see curve.png. The first turn has its own head.",
        "",
        f"Trained on {len(train.rows):,} turns: CANARD (CC BY-SA 4.0), conversations made of the questions of",
        "squad.train (CC BY-SA 4.0), drcd.train (CC BY-SA 3.0) and cmrc.train (CC BY-SA 4.0), some cut down to what",
        "they ask, KdConv (Apache-2.0), the turns of `search-decision/train` and of our own that need no search, put",
        "behind such conversations, and short turns of our own of both kinds (`models/examples/inside.jsonl`, weight",
        f"{OWN_WEIGHT:.0f} each). The weights: Apache-2.0. Made by `passerine train followup`.",
        "",
        "Accuracy with 95% intervals (2,000 bootstrap draws). *shuffled*: the same head trained on shuffled labels.",
        "",
        "| part | turns | head | shuffled |",
        "|---|---|---|---|",
    ]
    names = {"test": "other articles, released test turns, CAsT 2019", "own": "our short turns, held out"}
    for name, title in names.items():
        part = split[name]
        right = [correct(each, part, threshold) for each in (head, luck)]
        keys: list[tuple[str, Sequence[bool]]] = [(title, [True] * len(part.rows))]
        for language in ("en", "zh"):
            for search in (True, False):
                label = f"… {language}, {'to be searched' if search else 'not to be searched'}"
                keys.append((label, [(turn.language, turn.search) == (language, search) for turn in part.rows]))
        for kind in sorted({turn.kind for turn in part.rows}):
            keys.append((f"… {kind}", [turn.kind == kind for turn in part.rows]))
        lines += table_rows(keys, right)
    lines += [
        "",
        "Limits: the composed turns take their questions and their chat from different places, so their figures",
        "flatter. A remark in the middle of a conversation that asks without saying so is missed.",
    ]
    (out / "card.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
