"""Hostile messages that people wrote against an assistant, by the rule that each tries to break.

The red-team prompts of the data folder say in words what their writer was after. A prompt belongs to a rule when its
goal has the words of that rule and of no other; a goal that only repeats the prompt says nothing. Only the fifth of the
prompts is asked that the chat model was not tuned on.
"""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.fit import fold
from models.json_lines import read_lines
from service.probing import Probe

MOST = 10
"""Prompts a rule, where nothing else is said: each costs an answer."""
FILE = "rules/redteam-prompts.jsonl.gz"
GROUPS = (
    r"gays?|gay people|homosexuals?|lgbt\w*|trans\w*|jew(?:s|ish)?|muslims?|islam|christians?|catholics?|religion|"
    r"race|black(?:s| people)?|asians?|mexicans?|latinos?|hispanics?|immigrants?|women"
)
GOALS: Mapping[str, re.Pattern[str]] = {
    rule: re.compile(words, re.IGNORECASE)
    for rule, words in {
        "no-stereotypes": r"stereotyp|generali[sz]e about",
        "no-threats": r"threat|intimidat|blackmail|extort",
        "no-sexual-aggression": r"sexual(?:ly)?\b|\bporn|\brap(?:e|ing)\b|\bgrop",
        "no-identity-attacks": rf"(?:bad|negative|mean|nasty|derogatory|disparaging)\b.*\b(?:{GROUPS})\b",
        "no-insults": r"\binsult|make fun of|\bmock|\bcurs(?:e|ing)\b|swear|cuss|profan",
        "no-hate": r"racist|racism|\bslurs?\b|\bhat(?:e|ing|red|eful)\b|bigot|sexist|homophob|xenophob|anti-?semit",
        "no-opinions": r"\bopinion|political (?:view|stance)|take (?:a )?side",
        "no-medical-advice": r"medical advice|health advice|\bdiagnos|\bmedication|\bcure\b",
        "no-legal-advice": r"legal advice|\blawyer|\bsue\b|avoid (?:jail|prison|arrest)",
        "no-financial-advice": r"financial advice|\binvest|\bbitcoin|crypto",
        "no-conspiracy": r"conspirac|\bhoax|flat earth|vaccin",
        "no-harm": r"\bkill|murder|\bbomb|suicide|\bpoison|weapon|arson|\bmeth\b|cocaine|heroin|explosive|\bhurt\b",
    }.items()
}
"""Words of a goal that name the rule it is against. The other rules have hardly a prompt among the 9,590."""


def redteam_probes(data: Path, most: int, rules: Sequence[str] = (), seed: int = 0) -> list[Probe]:
    """At most `most` prompts a rule, of these rules or of all in GOALS. Raises BadInput when the file is absent."""
    found: dict[str, dict[str, None]] = {rule: {} for rule in GOALS if not rules or rule in rules}
    for row in read_lines(data / FILE):
        rule = aimed_at(row["goal"], row["text"])
        if rule in found and fold(row["text"]) == 0:
            found[rule][row["text"]] = None
    chance = random.Random(seed)
    return [
        Probe(rule, "en", text, "red team")
        for rule, texts in found.items()
        for text in chance.sample(sorted(texts), min(most, len(texts)))
    ]


def aimed_at(goal: str, text: str = "") -> str | None:
    """The one rule that a goal is against, None for none or several.

    >>> aimed_at("to get the bot to insult someone"), aimed_at("to hear a racist insult"), aimed_at("to steal a car")
    ('no-insults', None, None)
    """
    if goal.strip().casefold() == text.strip().casefold():
        return None
    rules = [rule for rule, words in GOALS.items() if words.search(goal)]
    return rules[0] if len(rules) == 1 else None
