"""The words that a follow-up leaves out are found in what was said before."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch

from indexing.types import EncoderMismatch, ModelDamaged, ModelMissing
from models.plan import MOST_LEFT_OUT, completed
from models.reader_rows import Row
from models.term_data import is_needed, left_out, made_up, shared_name
from models.terms import BUNDLED, TermSelector, phrases
from models.trunk import Trunk
from models.types import Conversation, Turn
from models.unaided import OUTSIDE


@pytest.fixture(scope="module")
def selector(trunk: Trunk) -> TermSelector:
    return TermSelector.load(trunk)


def conversation(*texts: str) -> Conversation:
    return Conversation(tuple(Turn("assistant" if n % 2 else "user", text) for n, text in enumerate(texts)))


@pytest.mark.parametrize(
    ("texts", "needed"),
    [
        (("Who designed the Halden bridge?", "Marta Lindqvist.", "When was it opened?"), "Halden bridge"),
        (("青藏铁路有多长？", "全长1956公里。", "什么时候通车的？"), "青藏铁路"),
        (("李白出生在哪里？", "李白出生于碎叶城。", "他什么时候去世的？"), "李白"),
    ],
)
def test_a_follow_up_gets_what_it_leaves_out(selector: TermSelector, texts: tuple[str, ...], needed: str) -> None:
    assert needed.casefold() in " ".join(selector.select(conversation(*texts))).casefold()


@pytest.mark.parametrize(
    "texts",
    [
        ("Who designed the Halden bridge?",),
        ("Who designed the Halden bridge?", "Marta Lindqvist.", "What is the capital of Mongolia?"),
        ("青藏铁路有多长？", "全长1956公里。", "红茶和绿茶有什么区别？"),
        ("", "", "When?"),
    ],
)
def test_a_turn_that_stands_alone_gets_nothing(selector: TermSelector, texts: tuple[str, ...]) -> None:
    assert selector.select(conversation(*texts)) == ()


def test_a_long_conversation_is_read_by_its_end(selector: TermSelector) -> None:
    texts = [
        *("What is tea?", "A drink. " * 200) * 8,
        "Who designed the Halden bridge?",
        "Marta.",
        "When was it opened?",
    ]
    assert any("Halden" in phrase for phrase in selector.select(conversation(*texts)))


def test_missing_damaged_and_foreign_weights_are_named(trunk: Trunk, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        TermSelector.load(trunk, tmp_path)
    shutil.copytree(BUNDLED, tmp_path, dirs_exist_ok=True)
    written = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**written, "base": "another"}))
    with pytest.raises(EncoderMismatch):
        TermSelector.load(trunk, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(written))
    weights = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(weights[:-8])
    with pytest.raises(ModelDamaged):
        TermSelector.load(trunk, tmp_path)


def test_spans_become_whole_words_and_phrases() -> None:
    text = "Who designed the Halden bridge? 青藏铁路有多长"
    assert phrases(text, [(17, 20), (23, 30)]) == ["Halden bridge"]
    assert phrases(text, [(13, 16)]) == []
    assert phrases(text, [(32, 34), (34, 36)]) == ["青藏铁路"]
    assert phrases(text, [(3, 4)]) == []


def test_codes_and_numbers_stay_whole() -> None:
    assert phrases("AH-200充满电能用多久", [(3, 6)]) == ["AH-200"]
    assert phrases("The budget is £312,000, not more.", [(15, 18)]) == ["312,000"]
    assert phrases("a mini excavator 1.9 t", [(17, 18)]) == ["1.9"]


def test_no_word_is_taken_from_what_passerine_says_without_an_answer(selector: TermSelector) -> None:
    asked = "how many volteq e18 are we going to buy and for which depots", "who is responsible for that"
    chosen = selector.select(conversation(asked[0], OUTSIDE["en"], asked[1]))
    assert "e18" in " ".join(chosen)
    assert not set(chosen) & set(OUTSIDE["en"].replace(",", "").replace(";", "").split())
    assert selector.select(conversation("Hello", OUTSIDE["en"], asked[1])) == selector.select(
        Conversation((Turn("user", "Hello"), Turn("user", asked[1])))
    )


def test_left_out_words_stand_in_brackets_unless_said() -> None:
    assert completed("When was it opened?", ("Halden bridge",)) == "When was it opened? (Halden bridge)"
    assert completed("什么时候通车的？", ("青藏铁路", "西藏")) == "什么时候通车的？（青藏铁路、西藏）"
    assert completed("When was the Halden bridge opened?", ("halden bridge",)) == "When was the Halden bridge opened?"
    assert completed("When?", tuple("abcdefg")).count(",") == MOST_LEFT_OUT - 1


def test_a_shared_name_is_taken_out_of_a_question() -> None:
    before, question = "Who built the Halden bridge?", "How long is the Halden bridge?"
    assert shared_name(before, question, "en") == "Halden"
    assert shared_name("青藏铁路有多长？", "青藏铁路什么时候通车？", "zh") == "青藏铁路"
    assert shared_name("什么是茶？", "什么时候通车？", "zh") is None
    made = {left_out("青藏铁路的起点在哪里？", "青藏铁路", "zh", random.Random(seed)) for seed in range(30)}
    assert "它的起点在哪里？" in made
    assert "起点在哪里？" in made
    assert not any("青藏" in text for text in made)


def test_made_up_conversations_need_what_was_taken_out() -> None:
    context = "The bridge at Halden was built by Marta Lindqvist. It opened in 1934."
    rows = [
        Row(str(n), "squad.train", "en", "bridges", context, question, (answer,), None)
        for n, (question, answer) in enumerate(
            [("Who built the bridge at Halden?", "Marta Lindqvist"), ("When did the bridge at Halden open?", "1934")]
        )
    ]
    found = [example for seed in range(20) for example in made_up(rows, random.Random(seed))]
    for example in found:
        earlier = " ".join(turn.text for turn in example.turns[:-1])
        assert all(word in earlier and word not in example.turns[-1].text for word in example.needed)
    assert {len(example.needed) for example in found} == {0, 1}


def test_a_token_is_needed_inside_a_needed_word_only() -> None:
    assert is_needed("the Halden bridge", (4, 7), ["Halden"])
    assert not is_needed("the Haldens", (4, 7), ["Halden"])
    assert is_needed("青藏铁路有多长", (1, 3), ["青藏铁路"])
    assert not is_needed("青藏铁路有多长", (3, 5), ["青藏铁路"])


def test_the_network_gives_a_logit_for_each_earlier_token(selector: TermSelector) -> None:
    from models.terms import read

    said = [
        read(selector.trunk, conversation(*texts).turns)
        for texts in (("Who?", "Ada Lovelace.", "When?"), ("茶", "", "？"))
    ]
    with torch.inference_mode():
        together = selector.network(said)
        alone = [selector.network([one])[0] for one in said]
    for one, two, own in zip(together, alone, said, strict=True):
        assert torch.allclose(one, two, atol=1e-4)
        assert len(one) == sum(len(part.text.ids) for part in own[:-1])
