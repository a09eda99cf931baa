"""The preference judge."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.types import Candidate, Conversation, Quote, Turn
from rewards.measures import pair_hits
from rewards.network_fit import outputs_of
from rewards.preference import TrainedPreference
from rewards.preference_data import Ranking, built_rankings, ordered_rankings, pair_rankings, quote_for
from rewards.readings import Draft, Readings
from rewards.support_data import Example
from rewards.train_preference import centre, fit_preference, mixed
from tests.hashed_reader import HashedReader, one_thread


@pytest.fixture(scope="module")
def judge(readings: Readings) -> TrainedPreference:
    return TrainedPreference.load(readings)


def quoting(text: str) -> Candidate:
    return Candidate(text, quotes=(Quote("d", 0, len(text), text),))


def test_people_would_rather_have_the_sentence_that_answers(judge: TrainedPreference) -> None:
    cases = [
        ("Who discovered penicillin?", "Penicillin was discovered by Alexander Fleming.", "The cellar was damp."),
        ("When did the war end?", "The war ended in May 1945.", "The harbour has three piers."),
        ("长江有多长？", "长江全长约6300公里。", "这家餐馆晚上八点关门。"),
    ]
    for question, right, wrong in cases:
        conversation = Conversation((Turn("user", question),))
        good, bad = judge.judge(conversation, [quoting(right), quoting(wrong)])
        assert good > bad, question


def test_no_candidates_no_judgement(judge: TrainedPreference) -> None:
    assert judge.judge(Conversation((Turn("user", "Who?"),)), []) == []


def ranked(count: int, seed: int) -> list[Ranking]:
    """Prompts whose better draft holds the word that was asked for, whichever is longer."""
    random, made = np.random.default_rng(seed), []
    names = [f"w{i}" for i in range(40)]
    for i in range(count):
        wanted, *others = random.choice(names, 8, replace=False)
        good, bad = Draft(f"say {wanted}", " ".join([wanted, *others[:3]])), Draft(f"say {wanted}", " ".join(others))
        made.append(Ranking((good, bad), ((0, 1, 1.0),), f"g{i}", "made", 0))
    return made


def test_pairs_turned_round_are_learnt_anew_in_the_same_folder(tmp_path: Path) -> None:
    train, reader = ranked(20, 0), HashedReader()
    turned = [replace(each, pairs=((1, 0, 1.0),)) for each in train]

    def taught(rankings: list[Ranking], file: str) -> list[float]:
        network, _ = fit_preference(reader, rankings, 0, None, epochs=1, kept=tmp_path / file)  # type: ignore[arg-type]
        return outputs_of(network, reader, train[0].drafts)[:, 0].tolist()  # type: ignore[no-any-return]

    with one_thread():
        first = taught(train, "run.pt")
        assert taught(train, "run.pt") == first
        assert taught(turned, "run.pt") == taught(turned, "fresh.pt") != first


def test_it_learns_an_order_and_a_head_on_shuffled_pairs_does_not() -> None:
    train, test, reader = ranked(300, 0), ranked(60, 1), HashedReader()

    def accuracy(rankings: list[Ranking]) -> float:
        network, _ = fit_preference(reader, rankings, 0, None, epochs=5)  # type: ignore[arg-type]
        scores = np.stack([outputs_of(network, reader, r.drafts)[:, 0] for r in test])
        return float(pair_hits(scores[:, 0], scores[:, 1], np.ones(len(test))).mean())

    with one_thread():
        assert accuracy(train) > 0.85
        assert accuracy(mixed(train, 3)) < 0.75


def test_demonstrations_become_zero_on_average() -> None:
    reader, rankings = HashedReader(), ranked(20, 2)
    network, _ = fit_preference(reader, rankings, 0, None, epochs=1)  # type: ignore[arg-type]
    numbers = centre(network, reader, rankings)  # type: ignore[arg-type]
    best = [outputs_of(network, reader, r.drafts)[0, 0] - numbers["shift"] for r in rankings]
    assert float(np.mean(best)) == pytest.approx(0.0, abs=1e-5)


def pair(a: str, b: str, label: str, question: str = "q") -> dict[str, Any]:
    return {"dialogue": [{"role": "user", "text": question}], "evidence": [], "a": a, "b": b, "label": label}


def test_all_pairs_of_a_prompt_stay_together_and_ties_are_one_half() -> None:
    rows = [pair("x", "y", "a"), pair("y", "z", "tie"), pair("x", "z", "b"), pair("x", "y", "a", "other")]
    first, second = pair_rankings(rows, "set")
    assert [d.answer for d in first.drafts] == ["x", "y", "z"]
    assert first.pairs == ((0, 1, 1.0), (1, 2, 0.5), (0, 2, 0.0))
    assert len(second.pairs) == 1


def test_a_ranking_gives_every_pair_of_it() -> None:
    row = {"dialogue": [{"role": "user", "text": "q"}], "responses": ["best", "middle", "worst"]}
    (made,) = ordered_rankings([row], "set")
    assert made.pairs == ((0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0))
    assert made.demonstration == 0


def test_built_pairs_set_the_right_sentence_first() -> None:
    right = Example(Draft("q", "It opened in 1932.", "1932"), 1.0, "squad:t", "squad", "right")
    wrong = Example(Draft("q", "It is grey."), 0.0, "squad:t", "squad", "same-passage")
    none = Example(Draft("p", "It is grey."), 0.0, "squad:t", "squad", "unanswerable")
    (made,) = built_rankings([right, wrong, none])
    assert made.drafts[0] == right.draft
    assert all(better == 0 and share == 1.0 for better, _, share in made.pairs)


def test_a_supported_statement_is_ranked_before_altered_ones_apart_from_the_quotes() -> None:
    right = Example(Draft("q", "It opened in 1932.", "1932"), 1.0, "squad:t", "squad", "right")
    said = [
        Example(Draft("q", text, "", "It opened in 1932."), label, "squad:t", "said-squad", kind)
        for text, label, kind in (
            ("It opened in 1932.", 1.0, "said-again"),
            ("It opened in 1938.", 0.0, "altered-number"),
            ("A lot could be said about this.", 0.0, "evasive"),
        )
    ]
    [made] = built_rankings([right, *said])
    assert made.source == "built-said-squad"
    assert made.drafts == tuple(example.draft for example in said)
    assert made.pairs == ((0, 1, 1.0), (0, 2, 1.0))


def test_the_quote_of_an_answer_is_the_evidence_that_shares_its_words() -> None:
    evidence = [{"title": "", "text": "Cats sleep long. The bridge opened in 1932. Bread is baked. It was grey then."}]
    assert (
        quote_for("The bridge was grey and opened in 1932", evidence) == "The bridge opened in 1932. It was grey then."
    )
