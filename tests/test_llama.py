"""The engine against transformers on the real chat model, and in 8 bits against itself in float32."""

import itertools
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from indexing.types import BadInput, Cancelled, ModelMissing
from models.adapter import AdapterRecipe
from models.generator import LocalGenerator
from models.llama import Cache, Llama, Sizes
from models.llama_generator import SAMPLE, LlamaGenerator, common
from models.precision import has_fast_bytes
from models.types import Message, Sampling
from service.app import HEADS

HELLO = (Message("system", "You are a helpful assistant."), Message("user", "Say hello to the four birds."))
PASSAGE = (*HELLO, Message("assistant", "Hello, birds."), Message("user", "Who opened the bridge in 1932?"))
GREEDY = Sampling(max_tokens=6, temperature=0.0)


@pytest.fixture(scope="module")
def folder(models_home: Path) -> Path:
    return models_home / "models" / "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def exact(folder: Path) -> LlamaGenerator:
    return LlamaGenerator.load("smollm2", folder, precision="float32")


@pytest.fixture(scope="module")
def pressed(folder: Path, exact: LlamaGenerator) -> Llama:
    return Llama.load(folder, sample=exact.template.tokens(SAMPLE))


def test_it_writes_what_transformers_writes(exact: LlamaGenerator, local: LocalGenerator) -> None:
    for prompt in (HELLO, PASSAGE):
        [[ours]], [[theirs]] = exact.generate([prompt], 1, GREEDY), local.generate([prompt], 1, GREEDY)
        assert ours.text == theirs.text
        assert ours.log_probs == pytest.approx(theirs.log_probs, abs=1e-3)


def test_replies_have_the_log_probs_that_transformers_gives(exact: LlamaGenerator, local: LocalGenerator) -> None:
    prompts, replies = [HELLO, HELLO, PASSAGE], ["Hello, four birds!", "No.", "The king did."]
    ours, theirs = exact.log_probs(prompts, replies), local.log_probs(prompts, replies)
    for own, other in zip(ours, theirs, strict=True):
        assert own == pytest.approx(other, abs=1e-3)


def test_a_prompt_reads_the_same_alone_beside_others_and_again(exact: LlamaGenerator) -> None:
    exact.forget()
    longer = (*PASSAGE, Message("assistant", "The premier."), Message("user", "And who closed it?"))
    together = exact.generate([HELLO, PASSAGE, longer], 2, GREEDY)
    again = exact.generate([longer], 1, GREEDY)
    exact.forget()
    alone = exact.generate([longer], 1, GREEDY)
    assert [one.text for one in together[2]] == [alone[0][0].text] * 2
    assert again[0][0].text == alone[0][0].text
    assert len(together) == 3


def test_drafts_differ_by_chance_and_repeat_by_seed(exact: LlamaGenerator) -> None:
    sampling = Sampling(max_tokens=8, seed=3)
    [first], [again] = exact.generate([HELLO], 4, sampling), exact.generate([HELLO], 4, sampling)
    assert [one.text for one in first] == [one.text for one in again]
    assert len({one.text for one in first}) > 1


def test_a_stop_ends_one_draft_and_not_the_others(exact: LlamaGenerator) -> None:
    [free] = exact.generate([HELLO], 4, Sampling(max_tokens=8, seed=5))
    word = free[0].text.split()[1]
    [stopped] = exact.generate([HELLO], 4, Sampling(max_tokens=8, seed=5, stop=(word,)))
    assert all(word not in one.text for one in stopped)
    assert stopped[0].finished


@pytest.mark.skipif(not has_fast_bytes(), reason="this CPU does not multiply bytes fast")
def test_eight_bits_stay_close(pressed: Llama, exact: LlamaGenerator) -> None:
    ids = exact.template.tokens("The Sydney Harbour Bridge was opened in 1932 by the premier, who cut the ribbon.")
    both = [one.logits(one.extend(one.empty(len(ids)), [ids])).log_softmax(-1) for one in (exact.model, pressed)]
    divergence = (both[0].exp() * (both[0] - both[1])).sum(-1).mean()
    assert float(divergence) < 0.05


@pytest.mark.skipif(not has_fast_bytes(), reason="this CPU does not multiply bytes fast")
def test_compiled_steps_say_what_plain_ones_say(
    pressed: Llama, exact: LlamaGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pressed
    cache = model.empty(12)
    model.extend(cache, [exact.template.tokens("The bridge was opened by the king in")])
    caches = [cache.forked(0, cache.lengths[0], 3, 2) for _ in range(2)]
    for one in caches:
        one.lengths = [cache.lengths[0], 4, 6]
    chances = [model.logits(model.extend(caches[0], [[504], [260], [99]])).log_softmax(-1)]
    monkeypatch.setattr(model, "_stepper", None)
    chances.append(model.logits(model.extend(caches[1], [[504], [260], [99]])).log_softmax(-1))
    divergence = (chances[0].exp() * (chances[0] - chances[1])).sum(-1)
    assert float(divergence.max()) < 0.05, "bytes may round apart, what is likely stays so"
    assert caches[0].lengths == caches[1].lengths


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_adapters_of_one_model_take_turns_and_share_what_neither_changes(folder: Path, precision: str) -> None:
    def said(generator: LlamaGenerator) -> list[list[float]]:
        generator.forget()
        return generator.log_probs([HELLO, PASSAGE], ["Hello, four birds!", "The king did."])

    bare = LlamaGenerator.load("smollm2", folder, precision=precision)
    before = said(bare)
    supervised, preferred = (
        LlamaGenerator.load("smollm2", folder, HEADS / name, precision, beside=bare) for name in ("sft", "ppo")
    )
    alone = LlamaGenerator.load("smollm2", folder, HEADS / "ppo", precision)
    by_turns = [said(one) for one in (supervised, preferred, bare, preferred)]
    assert by_turns[2] == before
    assert by_turns[0] != by_turns[1] != before
    assert by_turns[3] == by_turns[1]
    for ours, theirs in zip(by_turns[1], said(alone), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)
    frozen = AdapterRecipe().frozen
    shared = [one is other for one, other in zip(bare.model._layers, preferred.model._layers, strict=True)]
    assert shared == [number < frozen for number in range(len(shared))]


def test_an_adapter_of_the_vocabulary_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(HEADS / "sft", tmp_path / "sft")
    weights = tmp_path / "sft" / "adapter_model.safetensors"
    save_file(
        {name.replace("layers.12.mlp.down_proj", "lm_head"): t for name, t in load_file(weights).items()}, weights
    )
    with pytest.raises(BadInput, match="lm_head"):
        Llama.load(folder, tmp_path / "sft")


def test_branches_do_not_see_each_other(exact: LlamaGenerator) -> None:
    model = exact.model
    first, second, third = ([504, 253, 1784], [281, 314], [339, 1784, 30, 216])
    cache = model.empty(len(first) + len(third))
    model.extend(cache, [first])
    rows = model.branches(cache, [second, third])
    model.extend(cache, [third])
    alone = model.branches(model.empty(0), [first + third])
    assert torch.allclose(rows[2:], alone[3:], atol=1e-3)


def test_cancelling_streaming_and_bad_input(exact: LlamaGenerator, tmp_path: Path) -> None:
    heard: list[str] = []
    exact.generate([HELLO], 1, GREEDY, on_text=heard.append)
    assert heard
    assert all(after.startswith(before[:1]) for before, after in pairwise(heard))
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        exact.generate([HELLO], 1, Sampling(max_tokens=50), cancelled=lambda: next(asked))
    with pytest.raises(BadInput, match="tokens"):
        exact.generate([(Message("user", "word " * 10_000),)], 1, GREEDY)
    with pytest.raises(ModelMissing, match="absent"):
        LlamaGenerator.load("absent", tmp_path)
    with pytest.raises(BadInput, match="plain Llama"):
        Sizes.of({"model_type": "gpt2", "hidden_act": "gelu"})


def test_callers_at_the_same_time_share_the_steps_and_get_their_own_drafts(
    exact: LlamaGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [(HELLO, 2, Sampling(max_tokens=12, seed=1)), (PASSAGE, 1, Sampling(max_tokens=10, temperature=0.0)),
             (HELLO, 3, Sampling(max_tokens=8, seed=7))]  # fmt: skip
    alone = [exact.generate([prompt], count, sampling) for prompt, count, sampling in asked]
    widths: list[int] = []
    extend = exact.model.extend

    def watched(cache: Cache, added: Sequence[Sequence[int]]) -> Tensor:
        widths.append(len(added))
        return extend(cache, added)

    monkeypatch.setattr(exact.model, "extend", watched)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda one: exact.generate([one[0]], *one[1:]), asked))
    assert max(widths) > 3, "at some time more than one caller's drafts went through the model together"
    for own, other in zip(alone, together, strict=True):
        assert [draft.text for draft in own[0]] == [draft.text for draft in other[0]]


def test_copies_are_stretches_of_their_text(exact: LlamaGenerator) -> None:
    texts = ["The bridge was opened by Jack Lang in 1932.", "Nobody was there, and it rained on the mayor's hat."]
    prompts = [(*HELLO, Message("assistant", "Yes?"), Message("user", f"{text} Who was it?")) for text in texts]
    together = exact.copied(prompts, texts, 2, 40)
    for text, own in zip(texts, together, strict=True):
        assert own
        assert len({copy.text.split()[0] for copy in own}) == len(own)
        for copy in own:
            assert re.search(rf"(?<!\w){re.escape(copy.text)}(?!\w)", text), copy.text
        assert [sum(copy.log_probs) for copy in own] == sorted((sum(copy.log_probs) for copy in own), reverse=True)
    [alone] = exact.copied(prompts[1:], texts[1:], 2, 40)
    assert [copy.text for copy in alone] == [copy.text for copy in together[1]]
    assert exact.copied([], [], 2, 12) == []


def test_held_drafts_differ_by_chance_and_stand_in_their_text(exact: LlamaGenerator) -> None:
    texts, silent = ["Ann Hale built the mill in 1791.", "Saturn V was 110.6 metres tall."], "Nothing says so."
    prompts = [(Message("user", "Who built the mill?"),), (Message("user", "How tall was Saturn V?"),)]
    sampling = Sampling(max_tokens=12, temperature=5.0, top_p=1.0, seed=3)
    found = exact.stretches(prompts, texts, [silent], 6, sampling)
    for own, text in zip(found, texts, strict=True):
        assert all(one.text in text or one.text == silent for one in own)
        assert len({one.text for one in own}) > 1
    assert [[one.text for one in own] for own in exact.stretches(prompts, texts, [silent], 6, sampling)] == [
        [one.text for one in own] for own in found
    ]


def test_a_caller_that_leaves_or_fails_leaves_the_others_alone(exact: LlamaGenerator) -> None:
    patient = Sampling(max_tokens=12, temperature=0.0)
    alone = exact.generate([PASSAGE], 1, patient)
    steps = itertools.count()

    def broken(_: str) -> None:
        raise RuntimeError("nobody listens")

    with ThreadPoolExecutor(3) as pool:
        stayed = pool.submit(exact.generate, [PASSAGE], 1, patient)
        left = pool.submit(exact.generate, [HELLO], 4, patient, None, lambda: next(steps) > 3)
        failed = pool.submit(exact.generate, [HELLO], 1, patient, broken)
        with pytest.raises(Cancelled):
            left.result(60)
        with pytest.raises(RuntimeError, match="listens"):
            failed.result(60)
        assert stayed.result(60)[0][0].text == alone[0][0].text


def test_common_beginnings() -> None:
    assert common([[1, 2, 3], [1, 2, 4], [1, 2]]) == 2
    assert common([[1], [2]]) == 0
