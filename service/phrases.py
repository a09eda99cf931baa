"""The few sentences that Passerine says by itself, in the language of the question."""

from models.words import language_of
from rewards.types import Rule

ABSTAINED = {
    "en": "The indexed documents do not answer this, as far as I can see.",
    "zh": "就我所见，已索引的文档没有回答这个问题。",
}
NEAR = {"en": " The passages below come nearest.", "zh": "下面是最接近的段落。"}
REFUSED = {
    "en": "I will not answer this: every answer I could draft would break the rule “{rule}”.",
    "zh": "我不能回答：我能拟出的每个答案都会违反规则“{rule}”。",
}


def abstention(question: str, near: bool) -> str:
    """Nothing answered; `near` when there are passages to show."""
    language = language_of(question)
    return ABSTAINED[language] + (NEAR[language] if near else "")


def refusal(question: str, rule: Rule | None, rule_id: str) -> str:
    """Nothing may be said, with the rule's own words (its id when the text is not at hand)."""
    language = language_of(question)
    text = rule_id if rule is None else rule.text_zh if language == "zh" else rule.text_en
    return REFUSED[language].format(rule=text.rstrip(".。"))
