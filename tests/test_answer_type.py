"""What a question asks for, and what cannot be it."""

import pytest

from models.answer_type import fits


@pytest.mark.parametrize(
    ("question", "short", "may_be"),
    [
        ("How long did Apollo 13 last?", "the third", False),
        ("How long did Apollo 13 last?", "to be the third", False),
        ("How long did Apollo 13 last?", "almost six days", True),
        ("How long did he rule?", "from 1492 to 1509", True),
        ("How long did he rule?", "4 May 1934", False),
        ("How long have they been there?", "since 4 May 1934", True),
        ("How long is the wall?", "the river", False),
        ("How many people walked on the Moon?", "Nobody", False),
        ("How many people walked on the Moon?", "twelve", True),
        ("How many of them voted?", "a third", True),
        ("How tall is it?", "the tower", False),
        ("How tall is it?", "110.6 metres", True),
        ("When was it opened?", "after the flood", True),
        ("When was it opened?", "Marta Lindqvist", False),
        ("When plants are hurt, what can become plastids?", "chloroplasts", True),
        ("What year was it?", "the bridge", False),
        ("Who designed it?", "Marta Lindqvist", True),
        ("Who designed it?", "1934", True),
        ("Who was the first person in space?", "Salyut 1", False),
        ("who was the first woman in space", "Vostok-6", False),
        ("And by whom was it built?", "Apollo 11", False),
        ("Who may visit?", "children under 16", True),
        ("Who reigned then?", "Louis XIV", True),
        ("Whose ship was it?", "U-47", True),
        ("谁是中国第一位航天员？", "神舟五号", False),
        ("誰發明了它？", "第二十二號", False),
        ("谁是中国第一位航天员？", "杨利伟", True),
        ("哪一位置最好？", "三号", True),
        ("杨利伟在太空待了多久？", "1965年6月21日", False),
        ("杨利伟在太空待了多久？", "21个多小时", True),
        ("带回了多少月壤？", "1731克", True),
        ("带回了多少月壤？", "探测器", False),
        ("它是什麼時候發射的？", "酒泉", False),
        ("它是什么时候发射的？", "南宋", True),
        ("它是什么时候着陆的？", "月球背面", False),
        ("它是什么时候着陆的？", "三月", True),
        ("它是什么时候着陆的？", "从天宫返回", False),
        ("在哪一年哪个国家参战？", "英国", True),
        ("", "", True),
    ],
)
def test_only_what_cannot_be_asked_for_does_not_fit(question: str, short: str, may_be: bool) -> None:
    assert fits(question, short) is may_be
