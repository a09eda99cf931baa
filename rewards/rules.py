"""The rules as data (bundled/rules.yaml), and those that a program decides exactly.

A fault in the file is reported with its line and rule.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from indexing.types import BadInput, NotFound
from models.types import Candidate, Conversation
from rewards.types import Rule

BUNDLED = Path(__file__).parent / "bundled" / "rules.yaml"
_FIELDS = ("id", "group", "en", "zh", "keeps", "breaks", "floor")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_ENDS = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\n+")
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_]+", re.UNICODE)

Program = Callable[[Conversation, Candidate], float]
"""The probability that the rule is kept, 0 or 1."""


def load_rules(path: Path = BUNDLED) -> tuple[Rule, ...]:
    """The rules of a file, in its order.

    Raises NotFound when there is no such file, and BadInput that names the line and the rule of a fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"The rules file {path} does not exist.", "Install Passerine again.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The rules file {path} is not UTF-8 text.", "Save it as UTF-8.") from error
    return parse_rules(text, path.name)


def parse_rules(text: str, name: str = "rules.yaml") -> tuple[Rule, ...]:
    """The rules of a YAML text. Raises BadInput; `name` is the file named in its message."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"{name}, line {line}: this is not YAML ({error.problem}).", _HINT) from error
    except yaml.YAMLError as error:
        raise BadInput(f"{name}: this is not YAML ({error}).", _HINT) from error
    top = _mapping(root, name, "the file")
    if "rules" not in top:
        raise BadInput(f"{name}: the list `rules:` is missing.", _HINT)
    listed = top["rules"]
    if not isinstance(listed, yaml.SequenceNode) or not listed.value:
        raise _fault(name, listed, "`rules` must be a list of at least one rule")
    rules: dict[str, Rule] = {}
    for node in listed.value:
        rule = _rule(node, name)
        if rule.id in rules:
            raise _fault(name, node, f"the id {rule.id} is used twice")
        rules[rule.id] = rule
    return tuple(rules.values())


_HINT = "Compare with the rules that come with Passerine, in rewards/bundled/rules.yaml."


def _fault(name: str, node: yaml.Node, what: str) -> BadInput:
    return BadInput(f"{name}, line {node.start_mark.line + 1}: {what}.", _HINT)


def _mapping(node: yaml.Node | None, name: str, what: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        if node is None:
            raise BadInput(f"{name}: {what} is empty.", _HINT)
        raise _fault(name, node, f"{what} must hold `name: value` lines")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value in found:
            raise _fault(name, key, f"`{key.value}` stands twice in {what}")
        found[key.value] = value
    return found


def _rule(node: yaml.Node, name: str) -> Rule:
    fields = _mapping(node, name, "a rule")
    rule_id = _text(fields, "id", "a rule", node, name)
    what = f"rule {rule_id}"
    if not _ID.match(rule_id):
        raise _fault(name, fields["id"], f"the id {rule_id!r} may hold letters, digits and hyphens only")
    for field, value in fields.items():
        if field not in _FIELDS:
            raise _fault(name, value, f"{what} has the unknown field `{field}`; known are {', '.join(_FIELDS)}")
    return Rule(
        id=rule_id,
        group=_text(fields, "group", what, node, name),
        text_en=_text(fields, "en", what, node, name),
        text_zh=_text(fields, "zh", what, node, name),
        keeps=_texts(fields.get("keeps"), "keeps", what, name),
        breaks=_texts(fields.get("breaks"), "breaks", what, name),
        floor=_share(fields.get("floor"), what, name),
    )


def _text(fields: Mapping[str, yaml.Node], field: str, what: str, node: yaml.Node, name: str) -> str:
    value = fields.get(field)
    if value is None:
        raise _fault(name, node, f"{what} has no `{field}`")
    if not isinstance(value, yaml.ScalarNode) or not str(value.value).strip():
        raise _fault(name, value, f"`{field}` of {what} must be a line of text")
    return " ".join(str(value.value).split())


def _texts(node: yaml.Node | None, field: str, what: str, name: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise _fault(name, node, f"`{field}` of {what} must be a list of examples")
    for item in node.value:
        if not isinstance(item, yaml.ScalarNode) or not str(item.value).strip():
            raise _fault(name, item, f"an example in `{field}` of {what} must be one line of text; quote a colon")
    return tuple(" ".join(str(item.value).split()) for item in node.value)


def _share(node: yaml.Node | None, what: str, name: str) -> float | None:
    if node is None:
        return None
    try:
        value = float(str(node.value))
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise _fault(name, node, f"`floor` of {what} must be a number from 0 to 1")
    return value


def split_example(example: str) -> tuple[str, str]:
    """The user's words and the answer of an example; the first is "" when only an answer is given."""
    question, mark, answer = example.partition(" >> ")
    return (question.strip(), answer.strip()) if mark else ("", example.strip())


def repeats(conversation: Conversation, candidate: Candidate) -> bool:
    """Whether the candidate repeats a sentence of its own, runs in a loop, or is an earlier turn over again.

    Sentences of fewer than four words (or characters of Chinese) may recur: "Yes." is no repetition. An earlier
    answer may be given again when the user asks the same thing again. Quoted words are the document's: a short answer
    before the sentence that says it is no repetition.
    """
    text = candidate.text
    for quote in candidate.quotes:
        text = text.replace(quote.text, " ", 1)
    sentences = [s for s in (content_words(part) for part in _ENDS.split(text)) if len(s) >= 4]
    if len(set(sentences)) < len(sentences) or _loops(content_words(text)):
        return True
    own = content_words(candidate.text)
    asked: list[tuple[str, ...]] = []
    for turn in conversation.turns[:-1]:
        if turn.role == "user":
            asked.append(content_words(turn.text))
        elif len(own) >= 4 and content_words(turn.text) == own:
            return not conversation.turns or content_words(conversation.question) not in asked
    return False


def content_words(text: str) -> tuple[str, ...]:
    """The words of a text (Chinese: its characters) without case, punctuation and citation marks."""
    return tuple(_WORD.findall(re.sub(r"\[\d+\]", " ", text).lower()))


def _loops(units: Sequence[str]) -> bool:
    """Whether a stretch of one to eight words follows itself so often that twelve words or more are one loop."""
    for size in range(1, 9):
        run = 0
        for i in range(size, len(units)):
            run = run + 1 if units[i] == units[i - size] else 0
            if run >= max(12 - size, 2 * size):
                return True
    return False


PROGRAMS: Mapping[str, Program] = {
    "no-repetition": lambda conversation, candidate: 0.0 if repeats(conversation, candidate) else 1.0,
}
"""Rules decided by a program, by id."""
