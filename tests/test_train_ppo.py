"""Reinforcement learning of a small Llama made for the test: shared prompts change nothing, the reward goes up, the
penalty holds the policy back, and a stopped training goes on."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from models.adapter import (
    POLICY,
    REFERENCE,
    AdapterRecipe,
    save_adapter,
    trained_parameters,
    with_adapter,
    with_reference,
)
from models.chat_template import ChatTemplate
from models.ppo import PpoRecipe
from models.processes import Processes
from models.shared_prefix import reply_log_probs
from models.train_ppo import RlRecipe, Task, Trainer, round_of
from models.types import Message

WORDS = ("<end>", "<unk>", "User:", "Passerine:", "red", "blue", "green", "gold", "what", "colour")
TASKS = [Task((Message("user", f"what colour {word}"),), word) for word in ("red", "blue", "green", "gold")]
RECIPE = RlRecipe(
    rounds=12, prompts=2, samples=8, rate=2e-2, most_tokens=4,
    ppo=PpoRecipe(baseline="others", minibatch=8, passes=2, beta=0.0, most_kl=1.0),
)  # fmt: skip


def of(baseline: Literal["value", "others"]) -> RlRecipe:
    """A few rounds of RECIPE with that baseline."""
    return replace(RECIPE, rounds=3, look=1, prompts=3, ppo=replace(RECIPE.ppo, baseline=baseline))


@pytest.fixture(scope="module")
def template() -> ChatTemplate:
    return small_template()


def small_template() -> ChatTemplate:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    own = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    own.pre_tokenizer = WhitespaceSplit()  # type: ignore[assignment]
    wrapped = PreTrainedTokenizerFast(tokenizer_object=own, eos_token="<end>", unk_token="<unk>")
    return ChatTemplate.of("small", wrapped, 64, 0)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model with an adapter that is not nothing; returns the adapter's folder, the base lies beside it."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    model = with_adapter(load(folder / "base"), AdapterRecipe(rank=4, alpha=4, frozen=0))
    with torch.no_grad():
        for parameter in trained_parameters(model):
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_adapter(model, folder / "adapter", folder / "base", {})
    return folder / "adapter"


def load(base: Path) -> Any:
    return LlamaForCausalLM.from_pretrained(base).eval()


def begun(
    adapter: Path,
    template: ChatTemplate,
    work: Path,
    recipe: RlRecipe = RECIPE,
    value_head: nn.Linear | None = None,
    together: Processes | None = None,
) -> Trainer:
    torch.manual_seed(0)
    model = with_reference(load(adapter.parent / "base"), adapter)
    trainer = Trainer(model, template, recipe, work, value_head=value_head, together=together)
    trainer.resume("the same")
    return trainer


@pytest.fixture(scope="module")
def free(adapter: Path, template: ChatTemplate, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """Trained by RECIPE, to compare others with."""
    trainer = begun(adapter, template, tmp_path_factory.mktemp("free"))
    assert trainer.go(TASKS, golden)
    return trainer


def golden(_: Sequence[Task], replies: Sequence[str]) -> list[Mapping[str, float]]:
    """The share of words that are gold."""
    return [{"total": reply.split().count("gold") / max(1, len(reply.split()))} for reply in replies]


def test_shared_prompts_give_the_same_log_probs_and_gradients(adapter: Path) -> None:
    prompt, replies = [2, 8, 9, 4, 3], [[4, 5, 0], [6, 0], [7, 7, 7, 7]]
    model = with_reference(load(adapter.parent / "base"), adapter)

    def gradients(loss: Tensor) -> list[Tensor]:
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        return [parameter.grad.clone() for parameter in trained_parameters(model) if parameter.grad is not None]

    shared, mask, _ = reply_log_probs(model, prompt, replies)
    assert mask.sum(1).tolist() == [3, 2, 4]
    alone = []
    for reply in replies:
        logits = model(input_ids=torch.tensor([[*prompt, *reply]])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        alone.append(logits.gather(1, torch.tensor(reply)[:, None])[:, 0])
    for row, own in enumerate(alone):
        assert torch.allclose(shared[row, : len(own)], own, atol=1e-5)
    weights = torch.tensor([1.0, -2.0, 0.5])
    one = gradients((shared.sum(1) * weights).sum())
    other = gradients(sum((own.sum() * weight for own, weight in zip(alone, weights, strict=True)), torch.zeros(())))
    assert one
    for mine, theirs in zip(one, other, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-4), float((mine - theirs).abs().max())


def test_the_reward_goes_up(adapter: Path, template: ChatTemplate, tmp_path: Path, free: Trainer) -> None:
    assert RECIPE.ppo.baseline == "others"
    other = begun(adapter, template, tmp_path, replace(RECIPE, ppo=replace(RECIPE.ppo, baseline="value")))
    assert other.go(TASKS, golden)
    for trainer in (free, other):
        first, last = trainer.history[0], trainer.history[-1]
        assert last["reward/total"] > first["reward/total"] + 0.4, [row["reward/total"] for row in trainer.history]
        assert abs(first["reference_kl"]) < 1e-4, "the policy begins as the reference"
        assert last["reference_kl"] > 0.1


def test_held_replies_stand_in_the_text_and_their_chances_add_up(
    adapter: Path, template: ChatTemplate, tmp_path: Path
) -> None:
    tasks = [replace(task, text="red, then gold", others=("blue green",)) for task in TASKS]
    trainer = begun(adapter, template, tmp_path)
    sampled = trainer.sample(tasks[0], "seed")
    assert set(sampled.texts) <= {"red", "gold", "blue green"}
    assert len(set(sampled.texts)) > 1
    replies = [[4, 0], [7, 0], [5, 6, 0]]
    first, end = [4, 5, 7], [0]
    allowed = [[first, end], [first, end], [first, [6], end]]
    log_probs, mask, _ = reply_log_probs(trainer.model, sampled.prompt, replies, 1.0, allowed)
    assert float((log_probs * mask).sum(1).exp().sum().detach()) == pytest.approx(1.0, abs=1e-5)
    assert trainer.go(tasks, golden)
    assert trainer.history[-1]["reward/total"] > 0.9
    assert trainer.history[-1]["distinct"] < trainer.history[0]["distinct"]


def test_demonstrations_mixed_in_stay_likely(
    adapter: Path, template: ChatTemplate, tmp_path: Path, free: Trainer
) -> None:
    def shown(trainer: Trainer) -> Tensor:
        asked = template.encode(TASKS[0].prompt, 8)
        log_probs, mask, _ = reply_log_probs(trainer.model, asked, [template.tokens("red blue")])
        return -(log_probs * mask).sum() / mask.sum()

    mixed = begun(adapter, template, tmp_path, replace(RECIPE, ptx=1.0))
    mixed.go(TASKS, golden, demonstration_loss=lambda _: shown(mixed))
    with torch.no_grad():
        assert float(shown(mixed)) < float(shown(free)) - 0.5


def test_a_penalty_keeps_the_policy_near_its_reference(
    adapter: Path, template: ChatTemplate, tmp_path: Path, free: Trainer
) -> None:
    held = begun(adapter, template, tmp_path, replace(RECIPE, ppo=replace(RECIPE.ppo, beta=1.0)))
    held.go(TASKS, golden)
    assert held.history[-1]["reference_kl"] < free.history[-1]["reference_kl"] / 2


def test_a_stopped_training_goes_on_to_the_same_weights(adapter: Path, template: ChatTemplate, tmp_path: Path) -> None:
    recipe = replace(RECIPE, rounds=4)
    whole = begun(adapter, template, tmp_path / "whole", recipe)
    whole.go(TASKS, golden)
    first = begun(adapter, template, tmp_path / "parts", recipe)
    first.history.append(first.round(round_of(TASKS, 0, recipe.prompts, first.seed), golden, None))
    first.done = 1
    first.keep()
    assert not first.go(TASKS, golden, until=time.monotonic() - 1)
    second = begun(adapter, template, tmp_path / "parts", recipe)
    assert second.done == 1
    second.go(TASKS, golden)
    for one, other in zip(whole.masters.outside, second.masters.outside, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_what_a_reply_leads_to_is_read_and_not_learnt(adapter: Path, template: ChatTemplate, tmp_path: Path) -> None:
    """Replies with blue lead on to a second prompt, which holds their first word: an episode is both replies."""

    def then(reply: str) -> Task | None:
        words = " ".join(reply.split()[:1])
        return Task((Message("user", f"what {words} red blue"),), "second") if "blue" in reply else None

    trainer = begun(adapter, template, tmp_path)
    first = replace(TASKS[0], then=then)
    played = trainer.play(first, "seed")
    went_on = [number for number, task in enumerate(played.tasks) if task.key == "second"]
    assert 0 < len(went_on) < RECIPE.samples
    assert sorted(number for step in played.steps[1:] for number in step.episodes) == went_on
    assert len({tuple(step.prompt) for step in played.steps}) == len(played.steps), "equal prompts are read once"
    episodes = trainer.episodes(played.steps, torch.zeros(RECIPE.samples))
    for number in range(RECIPE.samples):
        own = [
            (step.prompt, step.replies[step.episodes.index(number)]) for step in played.steps if number in step.episodes
        ]
        alone = torch.cat([reply_log_probs(trainer.model, prompt, [reply])[0][0] for prompt, reply in own])
        count = sum(len(reply) for _, reply in own)
        assert int(episodes.mask[number].sum()) == count, "what stands between the replies is no step"
        assert torch.allclose(episodes.log_probs[number, :count], alone.detach(), atol=1e-5)
        assert played.texts[number] == template.decode(own[-1][1])
    rows = torch.tensor([went_on[-1], next(number for number in range(RECIPE.samples) if number not in went_on)])
    again = trainer.evaluate([played], rows, episodes.mask.shape[1])
    assert torch.allclose(again.log_probs.detach(), episodes.log_probs[rows], atol=1e-5)


def test_the_first_reply_learns_from_what_it_led_to(adapter: Path, template: ChatTemplate, tmp_path: Path) -> None:
    """Only the second reply is judged; whether it is reached is up to the first, which has to hold gold."""
    second = Task((Message("user", "what colour red"),), "second")

    def reached(tasks: Sequence[Task], _: Sequence[str]) -> list[Mapping[str, float]]:
        return [{"total": float(task.key == "second")} for task in tasks]

    trainer = begun(adapter, template, tmp_path, replace(RECIPE, rounds=16))
    tasks = [replace(task, then=lambda reply: second if "gold" in reply.split() else None) for task in TASKS]
    assert trainer.go(tasks, reached)
    shares = [row["reward/total"] for row in trainer.history]
    assert shares[-1] > shares[0] + 0.3, shares
    assert trainer.history[-1]["steps"] > trainer.history[0]["steps"]


def test_dialogues_grow_by_valid_replies_and_a_stopped_training_remembers_them(
    adapter: Path, template: ChatTemplate, tmp_path: Path
) -> None:
    def grow(key: str, reply: str) -> Task | None:
        if key.endswith("+"):
            return None
        return Task((Message("user", f"what {reply.split()[0]} blue"),), f"{key}+")

    seen: list[str] = []

    def reward(tasks: Sequence[Task], replies: Sequence[str]) -> list[Mapping[str, float]]:
        seen.extend(dict.fromkeys(task.key for task in tasks))
        return [{"total": reply.split().count("red") / max(1, len(reply.split()))} for reply in replies]

    recipe = replace(RECIPE, rounds=4, grown=1, valid=0.3)
    trainer = begun(adapter, template, tmp_path, recipe)
    trainer.history.append(trainer.round(TASKS, reward, None, grow))
    waiting = list(trainer.turns)
    assert waiting
    assert all(reply.split().count("red") >= 0.3 * len(reply.split()) for _, reply in waiting), "only valid ones"
    trainer.done = 1
    trainer.keep()
    again = begun(adapter, template, tmp_path, recipe)
    assert again.turns == waiting
    seen.clear()
    again.go(TASKS, reward, grow=grow)
    assert seen[1] == f"{waiting[0][0]}+", "beside a task of the fixed ones"
    assert not any(key.endswith("++") for key in seen)


def test_the_weights_that_looked_best_are_what_comes_out(adapter: Path, template: ChatTemplate, tmp_path: Path) -> None:
    """The reward pulls towards gold, and on development tasks gold is wrong: the fewest of it looks best."""
    recipe = replace(RECIPE, rounds=12, look=2)
    looks: list[float] = []
    kept: list[list[Tensor]] = []

    def look(likeliest: Callable[[Task], str]) -> float:
        looks.append(-sum(likeliest(task).split().count("gold") for task in TASKS) - 0.01 * len(looks))
        kept.append(trainer.masters.state())
        return looks[-1]

    trainer = begun(adapter, template, tmp_path, recipe)
    trainer.go(TASKS, golden, look=look)
    best = looks.index(max(looks))
    assert best < len(looks) - 1, "the reward has pulled it away since"
    assert [row["development"] for row in trainer.history if "development" in row] == looks
    for mine, theirs in zip(trainer.masters.outside, kept[best], strict=True):
        assert torch.equal(mine, theirs)
    again = begun(adapter, template, tmp_path, recipe)
    assert again.best is not None
    assert again.best[0] == max(looks), "a stopped training remembers its best"


def test_only_the_policy_moves(adapter: Path, template: ChatTemplate, tmp_path: Path) -> None:
    trainer = begun(adapter, template, tmp_path, replace(RECIPE, rounds=1))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.go(TASKS, golden)
    moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(f".{POLICY}." in name for name in moved), sorted(moved)[:3]
    assert not any(f".{REFERENCE}." in name for name in moved)
