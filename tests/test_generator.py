"""Generators: a real chat model on this machine."""

from pathlib import Path

import pytest

from indexing.types import BadInput, Cancelled, ModelMissing
from models.generator import LocalGenerator
from models.types import Message, Sampling

HELLO = (Message("user", "Say hello."),)


def test_the_same_seed_draws_the_same_text(local: LocalGenerator) -> None:
    sampling = Sampling(max_tokens=6, seed=3)
    first, again = local.generate([HELLO], 2, sampling), local.generate([HELLO], 2, sampling)
    assert [item.text for item in first[0]] == [item.text for item in again[0]]
    assert len({item.text for item in first[0]}) == 2, "two drafts of one prompt should differ"


def test_repeating_the_cache_changes_nothing(local: LocalGenerator) -> None:
    greedy = Sampling(max_tokens=6, temperature=0.0)
    [[alone]] = local.generate([HELLO], 1, greedy)
    [[one, two]] = local.generate([HELLO], 2, greedy)
    assert alone.text == one.text == two.text


def test_log_probs_agree_with_those_of_sampling(local: LocalGenerator) -> None:
    [[drawn]] = local.generate([HELLO], 1, Sampling(max_tokens=5, temperature=0.0))
    [scored] = local.log_probs([HELLO], [drawn.text])
    assert scored[:3] == pytest.approx(list(drawn.log_probs)[:3], abs=1e-3)


def test_a_stop_string_ends_the_text(local: LocalGenerator) -> None:
    [[free]] = local.generate([HELLO], 1, Sampling(max_tokens=8, temperature=0.0))
    word = free.text.split()[1]
    [[stopped]] = local.generate([HELLO], 1, Sampling(max_tokens=8, temperature=0.0, stop=(word,)))
    assert stopped.finished
    assert free.text.startswith(stopped.text)
    assert word not in stopped.text


def test_cancelling_ends_the_work(local: LocalGenerator) -> None:
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        local.generate([HELLO], 1, Sampling(max_tokens=50), cancelled=lambda: next(asked))


def test_a_prompt_that_is_too_long_is_refused(local: LocalGenerator) -> None:
    with pytest.raises(BadInput, match="tokens"):
        local.generate([(Message("user", "word " * 10_000),)], 1, Sampling(max_tokens=5))


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="passerine models install"):
        LocalGenerator.load("absent", tmp_path / "absent")
