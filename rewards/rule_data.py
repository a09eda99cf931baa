"""What the rule judge learns from: drafts, and for each the rules known to be kept or broken."""

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.fit import fold
from models.json_lines import read_lines
from rewards.readings import Draft, titled
from rewards.rules import PROGRAMS, load_rules, split_example
from rewards.support_data import BEGINNING
from rewards.types import Rule

WRITTEN = Path(__file__).parent / "examples"
"""Examples of breaking and keeping each rule, written for this project; hostile lines are there to be recognised."""
TEMPLATES = Path(__file__).parent / "bundled" / "rule_examples.yaml"
FILLINGS = 14
"""Fillings of a template at most: more of one pattern teach nothing new."""
HATE = ("no-hate", "no-insults", "no-identity-attacks", "no-stereotypes", "no-microaggressions")
KIN: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(HATE, (*HATE, "no-threats", "no-harm", "receptive")),
    "no-threats": ("no-hate", "no-insults", "no-harm", "receptive"),
    "no-sexual-aggression": ("no-hate", "no-insults", "no-body", "no-relationships", "no-opinions", "on-topic"),
    "no-body": ("no-human-identity", "no-opinions", "no-real-world-acts", "on-topic"),
    "no-relationships": ("no-opinions", "no-human-identity", "no-body"),
    "no-opinions": ("no-human-identity", "no-body", "no-hate", "no-stereotypes", "no-relationships"),
    "no-human-identity": ("no-body", "no-opinions", "no-relationships", "no-real-world-acts"),
    "plausible": ("make-sense", "on-topic", "no-conspiracy"),
    "no-assumptions": ("no-insults", "no-hate", "no-microaggressions", "on-topic", "no-medical-advice"),
    "no-real-world-acts": ("no-body", "no-human-identity"),
    "no-medical-advice": ("no-harm", "plausible", "no-assumptions"),
    "no-legal-advice": ("no-harm", "plausible", "no-assumptions"),
    "no-financial-advice": ("no-harm", "plausible", "no-assumptions"),
    "no-conspiracy": ("plausible",),
    "no-harm": ("no-legal-advice", "no-medical-advice", "no-threats", "receptive", "no-opinions"),
    "make-sense": ("plausible", "on-topic", "receptive", "no-repetition"),
    "on-topic": ("receptive", "make-sense", "no-body", "plausible", "no-assumptions"),
    "receptive": ("no-insults", "on-topic", "no-opinions", "no-hate"),
}
"""What an answer that breaks a rule may break as well: there its label is unknown, not "kept"."""


@dataclass(frozen=True, slots=True)
class RuleExample:
    """A draft; `labels` maps rule id to 1 kept or 0 broken; a rule that is not there is unknown.

    `part` is "train", "dev" or "test". Examples of one `group` are made of the same thing, and are no evidence apart:
    the article, template, topic, dialogue, prompt or post.
    """

    draft: Draft
    labels: Mapping[str, float]
    source: str
    part: str
    lang: str
    group: str


def template_examples(rules: Sequence[Rule], path: Path = TEMPLATES, seed: int = 0) -> list[RuleExample]:
    """The templates filled in. Of a list every third template (2nd, 5th, ...) is test, every sixth (6th, ...) dev."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    ids = [rule.id for rule in rules if rule.id not in PROGRAMS]
    made = []
    for rule in ids:
        for side, lists in data["rules"].get(rule, {}).items():
            for lang, templates in lists.items():
                for number, template in enumerate(templates):
                    part = "test" if number % 3 == 1 else "dev" if number % 6 == 5 else "train"
                    labels = _labels(ids, rule, side == "breaks")
                    for text in _filled(template, data["slots"][lang], f"{seed}{rule}{template}"):
                        drafted = Draft(*split_example(text))
                        made.append(RuleExample(drafted, labels, "templates", part, lang, template))
    return made


def file_examples(rules: Sequence[Rule]) -> list[RuleExample]:
    """The examples of the rules file itself; they are training data."""
    ids = [rule.id for rule in rules if rule.id not in PROGRAMS]
    made = []
    for rule in rules:
        for broken, texts in ((False, rule.keeps), (True, rule.breaks)):
            for text in texts if rule.id not in PROGRAMS else ():
                lang = "zh" if re.search(r"[\u3400-\u9fff]", text) else "en"
                labels = _labels(ids, rule.id, broken)
                made.append(RuleExample(Draft(*split_example(text)), labels, "rules-file", "train", lang, text))
    return made


def written_examples(rules: Sequence[Rule], folder: Path = WRITTEN) -> list[RuleExample]:
    """The lines written for this project, a file a rule. Whole topics are test ("held_out"), and of the others every
    eighth in alphabetical order is dev."""
    ids = [rule.id for rule in rules if rule.id not in PROGRAMS]
    made = []
    for rule in ids:
        rows = read_lines(folder / f"{rule}.jsonl") if (folder / f"{rule}.jsonl").is_file() else []
        dev = sorted({row["topic"] for row in rows if not row["held_out"]})[::8]
        for row in rows:
            part = "test" if row["held_out"] else "dev" if row["topic"] in dev else "train"
            labels = _labels(ids, rule, row["broken"])
            drafted, group = Draft(row["question"], row["answer"]), f"{rule}: {row['topic']}"
            made.append(RuleExample(drafted, labels, f"written {rule}", part, row["lang"], group))
    return made


def _labels(ids: Sequence[str], rule: str, broken: bool) -> dict[str, float]:
    """A line written to keep a rule is a good answer in all respects; one that breaks it is unknown to its kin."""
    if not broken:
        return dict.fromkeys(ids, 1.0)
    unknown = KIN.get(rule, ())
    return {other: 0.0 if other == rule else 1.0 for other in ids if other == rule or other not in unknown}


def _filled(template: str, slots: Mapping[str, Sequence[str]], key: str) -> list[str]:
    """Up to FILLINGS texts of a template, drawn without repetition."""
    random_ = random.Random(key)
    names = list(dict.fromkeys(re.findall(r"{(\w+)}", template)))
    found: dict[str, None] = {}
    for _ in range(FILLINGS * 3):
        found[template.format(**{name: random_.choice(slots[name]) for name in names})] = None
        if len(found) == FILLINGS:
            break
    return [text[:1].upper() + text[1:] for text in found]


def public_examples(data: Path, rules: Sequence[Rule], seed: int = 0) -> list[RuleExample]:
    """Samples of public data whose licences let trained weights be released."""
    random_ = random.Random(seed)
    ids = [rule.id for rule in rules if rule.id not in PROGRAMS]
    made = [*_cold(data, random_), *_posts(data, ids, random_), *harmless(data), *_chats(data, ids, random_)]
    made += _encyclopedia(data, ids, random_)
    return made


def _part(key: str) -> str:
    """A fifth is development data, the same fifth as in every trainer."""
    return "dev" if fold(key) == 0 else "train"


def _cold(data: Path, random_: random.Random) -> Iterator[RuleExample]:
    """Chinese posts: an offensive one breaks no-hate, and is unknown to its kin; the others keep all five."""
    for split, count in (("train", 2600), ("dev", 1000)):
        rows = read_lines(data / "rules" / f"cold-zh.{split}.jsonl.gz")
        for row in random_.sample(rows, count):
            labels = {"no-hate": 0.0} if row["label"] == "offensive" else dict.fromkeys(HATE, 1.0)
            part = "test" if split == "dev" else _part(row["text"])
            yield RuleExample(Draft("", row["text"]), labels, "cold", part, "zh", row["text"])


def _posts(data: Path, ids: Sequence[str], random_: random.Random) -> Iterator[RuleExample]:
    """English posts with offence; and hostile prompts of users answered by a plain refusal, which keeps the rules."""
    rows = read_lines(data / "rules" / "hatexplain.train.jsonl.gz")
    for row in random_.sample(rows, 900):
        text = row["text"]
        yield RuleExample(Draft("", text), {"no-hate": 0.0}, "hatexplain", _part(text), "en", text)
    prompts = read_lines(data / "rules" / "redteam-prompts.jsonl.gz")
    for row in random_.sample(prompts, 300):
        text, reply = row["text"], random_.choice(REFUSALS)
        yield RuleExample(Draft(text, reply), dict.fromkeys(ids, 1.0), "redteam", _part(text), "en", text)


REFUSALS = (
    "I cannot help with that.",
    "I found no passage about that in the index.",
    "I am a program and have no opinion on that.",
    "Nothing in the documents answers this.",
    "I will not help with harming anyone.",
)


def harmless(data: Path) -> Iterator[RuleExample]:
    """Of two answers to a hostile user the rejected one tends to break no-harm; the chosen one tends to keep it."""
    for row in read_lines(data / "preference" / "hh-harmless.train.jsonl.gz"):
        if row["label"] in ("a", "b"):
            chosen, rejected = (row["a"], row["b"]) if row["label"] == "a" else (row["b"], row["a"])
            begins, asked = row["dialogue"][0]["text"][:BEGINNING], row["dialogue"][-1]["text"]
            yield RuleExample(Draft(asked, chosen), {"no-harm": 0.8}, "hh", _part(begins), "en", begins)
            yield RuleExample(Draft(asked, rejected), {"no-harm": 0.3}, "hh", _part(begins), "en", begins)


def _chats(data: Path, ids: Sequence[str], random_: random.Random) -> Iterator[RuleExample]:
    """Chats: the reply stays on topic and makes sense; a reply to another turn does not stay on topic, and one with
    its words in disorder makes no sense."""
    chats: list[tuple[str, str, str]] = []
    for row in read_lines(data / "sft" / "oasst-seed.train.jsonl.gz"):
        turns = row["dialogue"]
        if len(turns) > 1 and turns[-1]["role"] == "assistant":
            chats.append((turns[-2]["text"], turns[-1]["text"], "en"))
    facts = [r for r in read_lines(data / "sft" / "kdconv.train.jsonl.gz") if r["evidence"]]
    chats = random_.sample(chats, min(600, len(chats)))
    chats += [(r["dialogue"][-1]["text"], r["response"], "zh") for r in random_.sample(facts, 600)]
    for i, (asked, reply, lang) in enumerate(chats):
        part = _part(asked)
        safe = [rule for rule in ids if rule not in ("no-opinions", "no-body", "no-human-identity", "plausible")]
        yield RuleExample(Draft(asked, reply), dict.fromkeys(safe, 1.0), "chats", part, lang, asked)
        if i % 3 == 0:
            other = chats[(i + 311) % len(chats)][1]
            yield RuleExample(Draft(asked, other), {"on-topic": 0.0}, "chats-mixed", part, lang, asked)
        if i % 3 == 1:
            stirred = Draft(asked, _disordered(reply, random_))
            yield RuleExample(stirred, {"make-sense": 0.0}, "chats-mixed", part, lang, asked)


def _disordered(text: str, random_: random.Random) -> str:
    units = units_of(text)
    random_.shuffle(units)
    return joined(units, text)


def units_of(text: str) -> list[str]:
    """Words, or the characters of a text without spaces."""
    return text.split() if " " in text else list(text)


def joined(units: Sequence[str], like: str) -> str:
    """Units put together as in the text `like`."""
    return (" " if " " in like else "").join(units)


def _encyclopedia(data: Path, ids: Sequence[str], random_: random.Random) -> Iterator[RuleExample]:
    """Sentences of encyclopedia leads, on wars, diseases, crimes and religions too: they keep every rule."""
    from indexing.split import sentences

    leads: list[dict[str, Any]] = read_lines(data / "lm" / "wiki-leads.jsonl.gz")
    for row in random_.sample(leads, 2600):
        spans = sentences(row["text"])
        a, b = random_.choice(spans)
        digest = hashlib.sha256(row["title"].encode()).digest()[0] % 5
        part = {0: "test", 1: "dev"}.get(digest, "train")
        asked = random_.choice(ASKS[row["lang"]]).format(row["title"]) if random_.random() < 0.7 else ""
        text = titled(row["title"] if random_.random() < 0.6 else "", row["text"][a:b].strip())
        labels = dict.fromkeys(ids, 1.0)
        yield RuleExample(Draft(asked, text), labels, "encyclopedia", part, row["lang"], row["title"])


ASKS = {
    "en": (
        "What is {0}?",
        "Tell me about {0}.",
        "When did {0} begin?",
        "Who was {0}?",
        "{0}?",
        "What happened with {0}?",
    ),
    "zh": ("什么是{0}？", "介绍一下{0}。", "{0}是什么时候？", "{0}是谁？", "{0}？", "{0}怎么了？"),
}


def rule_examples(data: Path, rules: Sequence[Rule] | None = None, seed: int = 0) -> list[RuleExample]:
    """All of them, every part."""
    book = load_rules() if rules is None else rules
    return [
        *template_examples(book),
        *file_examples(book),
        *written_examples(book),
        *public_examples(data, book, seed),
    ]
