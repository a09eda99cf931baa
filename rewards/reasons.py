"""The sentences in which a selection explains itself, in English and Chinese."""

import re
from dataclasses import dataclass

from rewards.types import Rule

_HAN = re.compile(r"[\u3400-\u9fff]")


def language_of(text: str) -> str:
    """ "zh" when the text holds a Chinese character, else "en": the language to speak to its writer in."""
    return "zh" if _HAN.search(text) else "en"


def words(question: str) -> "Words":
    """The sentences in the language of the question."""
    return Words(language_of(question))


_PARTS = {
    "en": ("preference speaks less for it", "it keeps the rules less surely", "its quote supports it less"),
    "zh": ("偏好较低", "它遵守规则的把握较小", "引文对它的支持较弱"),
}
_KINDS = {
    "en": {
        "approved": "A reviewed answer to this question exists, and it goes first.",
        "tool": "A program computed it, so it needs no quote.",
        "talk": "The message is small talk and asks for no fact.",
        "absent": "No passage answers the question, so nothing is claimed.",
        "clarify": "The question has several readings (probability {0:.2f}), so it is asked back.",
    },
    "zh": {
        "approved": "这个问题有经人审核的答案，优先采用。",
        "tool": "结果由程序算出，不需要引文。",
        "talk": "这句话是寒暄，并不询问事实。",
        "absent": "没有段落回答这个问题，因此不作断言。",
        "clarify": "问题有多种理解（概率 {0:.2f}），因此反问。",
    },
}


@dataclass(frozen=True, slots=True)
class Words:
    """Each method is one sentence. Numbers are shares in [0, 1]."""

    language: str

    def _(self, english: str, chinese: str) -> str:
        return chinese if self.language == "zh" else english

    def rule(self, rule: Rule | None, rule_id: str) -> str:
        """The rule's own words, or its id when its text is not at hand."""
        if rule is None:
            return rule_id
        return self._(rule.text_en, rule.text_zh).rstrip(".。")

    def won(self, count: int, liking: float, keeping: float, support: float) -> str:
        return self._(
            f"Best of {count}: support of its quote {support:.2f}, rules kept {keeping:.2f}, "
            f"preference factor {liking:.2f}.",
            f"{count} 个候选中最佳：引文支持度 {support:.2f}，规则遵守 {keeping:.2f}，偏好系数 {liking:.2f}。",
        )

    def kind_won(self, kind: str, support: float) -> str:
        return _KINDS[self.language][kind].format(support)

    def broken(self, rule: Rule | None, rule_id: str, probability: float, floor: float) -> str:
        text = self.rule(rule, rule_id)
        return self._(
            f"Left out: it seems to break the rule “{text}” (kept with probability {probability:.2f}, "
            f"floor {floor:.2f}).",
            f"已排除：它似乎违反规则“{text}”（遵守的概率 {probability:.2f}，下限 {floor:.2f}）。",
        )

    def evasion(self) -> str:
        return self._(
            "Set aside: it states no fact, and a supported answer was found.",
            "已搁置：它没有陈述事实，而有引文支持的答案已经找到。",
        )

    def uncited(self) -> str:
        return self._("Lost: it states a fact and cites nothing.", "落选：它陈述事实却没有引文。")

    def approved_first(self, winner: int) -> str:
        return self._(
            f"Lost to candidate {winner}, a reviewed answer that goes first.",
            f"让位于候选 {winner}：经人审核的答案优先。",
        )

    def under(self, score: float, threshold: float, support: float) -> str:
        return self._(
            f"Not sure enough: its score {score:.2f} lies under the threshold {threshold:.2f} (support {support:.2f}).",
            f"把握不足：得分 {score:.2f} 低于阈值 {threshold:.2f}（支持度 {support:.2f}）。",
        )

    def not_chosen(self, score: float) -> str:
        return self._(f"Not chosen (score {score:.2f}).", f"未被选中（得分 {score:.2f}）。")

    def lost(self, winner: int, part: int, own: float, best: float, score: float, top: float) -> str:
        why = _PARTS[self.language][part]
        return self._(
            f"Lost to candidate {winner} ({score:.2f} against {top:.2f}): {why} ({own:.2f} against {best:.2f}).",
            f"不及候选 {winner}（{score:.2f} 对 {top:.2f}）：{why}（{own:.2f} 对 {best:.2f}）。",
        )

    def other_version(self, winner: int) -> str:
        return self._(
            f"Passed over for candidate {winner}, which quotes the version of the document that is meant.",
            f"让位于候选 {winner}：后者引自所指的文档版本。",
        )

    def refused(self, rule: Rule | None, rule_id: str) -> str:
        text = self.rule(rule, rule_id)
        return self._(
            f"Every answer found would break the rule “{text}”, so none is given.",
            f"找到的答案都会违反规则“{text}”，因此不作回答。",
        )

    def abstained(self, best: float | None, threshold: float) -> str:
        if best is None:
            return self._("No passage that was read answers the question.", "读到的段落都没有回答这个问题。")
        return self._(
            f"The best supported answer scores {best:.2f}, under the threshold {threshold:.2f}: nothing is claimed.",
            f"最有依据的答案得分 {best:.2f}，低于阈值 {threshold:.2f}，因此不作断言。",
        )
