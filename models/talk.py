"""Small talk: what Passerine says to a greeting, thanks or a question about itself, matched by meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import yaml

from indexing.types import BadInput, Encoder, Vectors
from models.heads import Head
from models.phrases import Phrase, Phrases
from models.types import Candidate
from models.words import language_of

BUNDLED = Path(__file__).parent / "bundled" / "talk.yaml"


@dataclass(frozen=True, slots=True)
class Entry:
    """What people say and what is said to it, by language ("en", "zh")."""

    id: str
    phrases: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, tuple[str, ...]]


def read_entries(path: Path, phrases: str = "phrases") -> list[Entry]:
    """The entries of a YAML list. Raises BadInput with the place and what is wanted there."""
    hint = f"Each entry has an id, {phrases} and answers, both by language (en, zh); see {BUNDLED.parent}."
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"There is no file {path}.", hint) from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint) from error
    if written is None:
        return []
    if not isinstance(written, list):
        raise BadInput(f"{path} must hold a list of entries.", hint)
    entries = [read_entry(item, number, path, phrases, hint) for number, item in enumerate(written, 1)]
    repeated = {entry.id for entry in entries if sum(other.id == entry.id for other in entries) > 1}
    if repeated:
        raise BadInput(f"{path}: the id {sorted(repeated)[0]} is used twice.", "Give every entry its own id.")
    return entries


def read_entry(item: Any, number: int, path: Path, phrases: str, hint: str) -> Entry:
    """One entry, checked."""
    where = f"{path}, entry {number}"
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise BadInput(f"{where} has no id.", hint)
    said, answers = by_language(item.get(phrases)), by_language(item.get("answers"))
    if not said or not answers:
        raise BadInput(f"{where} ({item['id']}) has no {phrases if not said else 'answers'}.", hint)
    return Entry(item["id"], said, answers)


def by_language(written: Any) -> dict[str, tuple[str, ...]]:
    """Texts by language; one text may stand for a list of one. Empty when it has another form."""
    if not isinstance(written, dict):
        return {}
    texts = {lang: (value,) if isinstance(value, str) else tuple(value or ()) for lang, value in written.items()}
    fine = all(isinstance(text, str) and text.strip() for group in texts.values() for text in group)
    return {str(lang): group for lang, group in texts.items() if group} if fine else {}


class Talk:
    """Answers small talk where the turn means one of the known phrases, else keeps silent."""

    kind = "talk"

    def __init__(self, encoder: Encoder, head: Head, entries: Sequence[Entry], threshold: float | None = None) -> None:
        self.entries = {entry.id: entry for entry in entries}
        self.threshold = head.config.thresholds["match"] if threshold is None else threshold
        phrases = [Phrase(entry.id, text) for entry in entries for group in entry.phrases.values() for text in group]
        self.phrases = Phrases(encoder, phrases, head) if phrases else None

    def candidates(self, turn: str, n: int = 2, vector: Vectors | None = None) -> list[Candidate]:
        """At most n wordings, in the language of the turn; none below the threshold. `vector` is the turn's."""
        if self.phrases is None or not turn.strip():
            return []
        match = self.phrases.match(turn, vector)
        if match.probability < self.threshold:
            return []
        answers = self.entries[match.entry].answers
        worded = answers.get(language_of(turn)) or next(iter(answers.values()))
        chance = min(0.0, log(match.probability))
        return [Candidate(text, log_prob=chance, origin="talk", kind="talk") for text in worded[:n]]
