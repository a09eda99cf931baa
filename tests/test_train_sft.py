"""Supervised tuning on a small Llama made for the test: it learns, stops and goes on to the same weights, and what it
saves means the same to peft and to Passerine's engine."""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from indexing.types import BadInput
from models.adapter import AdapterRecipe, Masters, check_adapter, save_adapter, trained_parameters, with_adapter
from models.llama import Llama
from models.processes import Processes
from models.train_sft import FIRST, Example, Run, SftRecipe, batches, losses

RECIPE = SftRecipe(epochs=6, tokens=64, rate=2e-2)
EXAMPLES = [Example([3, 10 + n, 5, 20, 2], [0.0, 0.0, 0.0, FIRST, 1.0], "copy") for n in range(8) for _ in range(2)]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
        initializer_range=0.3,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def begun(
    base: Path,
    work: Path,
    recipe: SftRecipe = RECIPE,
    identity: str = "the same",
    together: Processes | None = None,
) -> Run:
    torch.manual_seed(1)
    model: Any = LlamaForCausalLM.from_pretrained(base)
    adapted = with_adapter(model, AdapterRecipe(rank=4, alpha=8, frozen=1))
    run = Run(adapted, recipe, batches(EXAMPLES, recipe, 0), work, together)
    run.resume(identity)
    return run


def test_it_learns_and_reports_development_loss(base: Path, tmp_path: Path) -> None:
    run = begun(base, tmp_path / "work", replace(RECIPE, epochs=40))
    before = run.look(EXAMPLES)
    assert run.go(EXAMPLES, math.inf, None)
    assert run.history[-1]["dev_loss"] < before["dev_loss"] / 2


def test_a_stopped_training_goes_on_to_the_same_weights(base: Path, tmp_path: Path) -> None:
    whole = begun(base, tmp_path / "whole")
    whole.go(EXAMPLES, math.inf, None)
    first = begun(base, tmp_path / "parts")
    for batch in first.steps[:3]:
        first.recent.append(first.step(batch))
        first.done += 1
    assert not first.go(EXAMPLES, time.monotonic() - 1, None), "no time is left"
    second = begun(base, tmp_path / "parts")
    assert second.done == 3
    second.go(EXAMPLES, math.inf, None)
    for one, other in zip(whole.masters.outside, second.masters.outside, strict=True):
        assert torch.equal(one, other)
    assert whole.history == second.history


def test_another_recipe_begins_anew(base: Path, tmp_path: Path) -> None:
    run = begun(base, tmp_path / "work")
    run.step(run.steps[0])
    run.done = 1
    run.keep()
    other = begun(base, tmp_path / "work", identity="another")
    assert other.done == 0
    for one, fresh in zip(other.masters.outside, begun(base, tmp_path / "fresh").masters.outside, strict=True):
        assert torch.equal(one, fresh)


def test_frozen_layers_and_what_others_say_learn_nothing(base: Path, tmp_path: Path) -> None:
    run = begun(base, tmp_path / "work")
    names = [name for name, parameter in run.model.named_parameters() if parameter.requires_grad]
    assert names
    assert not any(".layers.0." in name for name in names)
    each, weights = losses(run.model, EXAMPLES[:2])
    assert (len(each), weights.tolist()) == (4, [FIRST, 1.0] * 2)


def test_an_adapter_means_the_same_to_peft_and_to_our_engine(base: Path, tmp_path: Path) -> None:
    run = begun(base, tmp_path / "work")
    run.go(EXAMPLES, math.inf, None)
    save_adapter(run.model, tmp_path / "adapter", base, {"name": "test"})
    check_adapter(tmp_path / "adapter", base)
    ids = [3, 12, 5, 22]
    with torch.inference_mode():
        theirs = run.model(input_ids=torch.tensor([ids])).logits[0]
    ours, bare = Llama.load(base, tmp_path / "adapter"), Llama.load(base)
    assert torch.allclose(ours.logits(ours.extend(ours.empty(4), [ids])), theirs, atol=0.02)
    assert not torch.allclose(bare.logits(bare.extend(bare.empty(4), [ids])), theirs, atol=0.2)


def test_a_damaged_or_foreign_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    run = begun(base, tmp_path / "work")
    save_adapter(run.model, tmp_path / "adapter", base, {})
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BadInput, match="damaged"):
        check_adapter(tmp_path / "adapter", base)
    weights.write_bytes(whole)
    (base / "model.safetensors").write_bytes(b"other")
    with pytest.raises(BadInput, match="another model"):
        check_adapter(tmp_path / "adapter", base)
    with pytest.raises(BadInput, match="holds no adapter"):
        check_adapter(tmp_path, base)


def test_masters_remember_steps_that_16_bits_would_lose() -> None:
    inside = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    masters = Masters([inside])
    for _ in range(100):
        inside.grad = torch.full((4,), 1e-4, dtype=torch.bfloat16)
        masters.take_gradients()
        torch.optim.SGD(masters.outside, lr=1.0).step()
        masters.put_back()
    assert float(inside[0].detach()) == pytest.approx(0.99, abs=2e-3)
    assert trained_parameters(torch.nn.Linear(2, 2))
