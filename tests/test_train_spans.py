"""The reader as a policy: its chances are the reader's own, and PPO moves them towards what is rewarded."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.ppo import PpoRecipe
from models.reader import BUNDLED, Reader, Upper, read_upper
from models.span_choice import Chosen, Shown, SpanPolicy, closed, divergence
from models.train_spans import SpanRecipe, SpanTrainer
from tests.hashed_reader import one_thread
from tests.test_reader import BRIDGE, FROGS, TEA

DESIGNER = Shown("designer", "Who designed the Halden bridge?", (BRIDGE, FROGS))
OPENED = Shown("opened", "When was the Halden bridge opened?", (BRIDGE,))
RECIPE = SpanRecipe(
    rounds=4, questions=2, samples=16, frozen=1, rate=1e-4,
    ppo=PpoRecipe(baseline="others", beta=0.0, minibatch=16, passes=2, most_kl=5.0),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _alone() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def policy(reader: Reader) -> SpanPolicy:
    return SpanPolicy(reader, read_upper(BUNDLED, reader.config), 6)


def small() -> Upper:
    """Two upper layers that know nothing yet."""
    torch.manual_seed(0)
    return Upper(2)


def begun(reader: Reader, work: Path, recipe: SpanRecipe = RECIPE) -> SpanTrainer:
    trainer = SpanTrainer(reader, small(), recipe, work)
    trainer.resume("the same")
    return trainer


def silent(_: Shown, choices: Sequence[Chosen | None]) -> list[Mapping[str, float]]:
    """Pays for silence alone."""
    return [{"total": float(choice is None)} for choice in choices]


@pytest.fixture(scope="module")
def free(reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> SpanTrainer:
    """Trained by RECIPE towards silence, to compare others with."""
    trainer = begun(reader, tmp_path_factory.mktemp("free"))
    assert trainer.go([DESIGNER, OPENED], silent)
    return trainer


def test_chances_add_up_and_the_likeliest_choice_is_the_readers(reader: Reader, policy: SpanPolicy) -> None:
    for shown in (DESIGNER, OPENED, Shown("tea", "哪种茶完全发酵？", (TEA,))):
        opened = policy.open(shown)
        with torch.no_grad():
            chances = policy.log_chances(opened)
        assert float(chances.exp().sum()) == pytest.approx(1.0, abs=1e-4)
        best = opened.choice(int(chances.argmax()))
        span = reader.read(shown.question, shown.passages[:1])[0].spans[0]
        assert best == Chosen(0, span.start, span.end)


def test_beside_one_passage_silence_has_the_chance_that_it_does_not_answer(reader: Reader, policy: SpanPolicy) -> None:
    for passage in (BRIDGE, FROGS):
        with torch.no_grad():
            silence = policy.log_chances(policy.open(replace(OPENED, passages=(passage,))))[0].exp()
        assert float(silence) == pytest.approx(1 - reader.read(OPENED.question, [passage])[0].answerable, abs=0.05)


def test_no_choice_lies_in_two_sentences_or_begins_with_nothing(policy: SpanPolicy) -> None:
    opened = policy.open(DESIGNER)
    chances = policy.log_chances(opened).detach()
    places = [int(place) for place in torch.nonzero(chances > -torch.inf)[1:, 0]]
    for choice in (opened.choice(place) for place in places[::7]):
        assert choice is not None
        said = DESIGNER.passages[choice.passage][choice.start : choice.end]
        assert said.strip()
        assert ". " not in said
    assert bool(closed("   ", [(0, 0), (0, 1), (1, 2)]).isinf().all())
    assert policy.open(replace(DESIGNER, passages=("  ", FROGS))).pieces[0].passage == 1


def test_rewarded_silence_becomes_likelier_and_only_the_learning_layers_move(free: SpanTrainer) -> None:
    first, last = free.history[0], free.history[-1]
    assert last["reward/total"] > first["reward/total"] + 0.2, [row["reward/total"] for row in free.history]
    assert first["reference_kl"] == 0.0
    assert last["reference_kl"] > 0.1
    start = small().state_dict()
    moved = {name for name, own in free.policy.upper.state_dict().items() if not torch.equal(own, start[name])}
    assert {name.split(".")[0] for name in moved} == {"layers", "span", "here"}
    assert all(name.startswith("layers.1.") for name in moved if name.startswith("layers"))


def test_rewarded_spans_become_likelier(reader: Reader, tmp_path: Path) -> None:
    low, high = BRIDGE.index("It was designed"), BRIDGE.index(" Work began")

    def second(_: Shown, choices: Sequence[Chosen | None]) -> list[Mapping[str, float]]:
        """Pays for what lies in the second sentence of the first passage."""
        return [{"total": float(c is not None and not c.passage and low <= c.start < high)} for c in choices]

    trainer = begun(reader, tmp_path)
    trainer.go([DESIGNER, OPENED], second)
    assert trainer.history[-1]["reward/total"] > trainer.history[0]["reward/total"] + 0.2
    opened = trainer.policy.open(OPENED)
    with torch.no_grad():
        now, before = trainer.policy.log_chances(opened), trainer.reference.log_chances(opened)
    assert divergence(now, before) > 0.1
    assert divergence(now, now) == 0


def test_a_penalty_keeps_the_reader_near_its_start(reader: Reader, tmp_path: Path, free: SpanTrainer) -> None:
    held = begun(reader, tmp_path, replace(RECIPE, ppo=replace(RECIPE.ppo, beta=2.0)))
    held.go([DESIGNER, OPENED], silent)
    assert held.history[-1]["reference_kl"] < free.history[-1]["reference_kl"] / 2


def test_a_stopped_training_goes_on_to_the_same_weights(reader: Reader, tmp_path: Path, free: SpanTrainer) -> None:
    first = begun(reader, tmp_path)
    assert not first.go([DESIGNER, OPENED], silent, progress=lambda *_: None, until=time.monotonic() + 0.01)
    assert first.done < RECIPE.rounds
    second = begun(reader, tmp_path)
    assert second.done == first.done
    second.go([DESIGNER, OPENED], silent)
    assert [row["round"] for row in second.history] == [row["round"] for row in free.history]
    for one, other in zip(free.policy.learning, second.policy.learning, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
