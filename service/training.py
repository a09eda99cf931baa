"""`passerine train HEAD`: which trainer belongs to which head. A head's trainer is imported when it runs."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from indexing.types import BadInput, Progress
from service.errors import did_you_mean

Trainer = Callable[[Path, Path, Path, int, Progress | None], object]
"""Called as trainer(data, home, out, seed, progress)."""


def train_on_feedback(
    head: str, feedback: Path, home: Path, out: Path, seed: int, progress: Progress | None, live: Path | None = None
) -> None:
    """Goes on with the live model of a head, or the bundled one, from what people said. Raises BadInput for a head that
    learns from data alone, and for too little feedback."""
    from rewards.support import BUNDLED
    from rewards.train_feedback import train_from_feedback

    if head != "support":
        hint = "`passerine train support --feedback FILE` learns from votes and comparisons."
        raise BadInput(f"'{head}' does not learn from feedback by itself.", hint)
    train_from_feedback(feedback, live or BUNDLED, home, out, seed, progress)


def train(
    head: str,
    data: Path,
    home: Path,
    out: Path,
    seed: int,
    progress: Progress | None,
    start: Path | None = None,
    device: str = "cpu",
) -> None:
    """Trains one head; an adapter on `device`, and from the adapter `start` where given. Raises BadInput for an unknown
    head or data folder, and for a start of what is not an adapter."""
    trainers: dict[str, Trainer] = {
        **HEADS,
        **{name: partial(further, start=start, device=device) for name, further in ADAPTERS.items()},
    }
    if head not in trainers:
        raise BadInput(f"There is no head '{head}'.", f"{did_you_mean(head, trainers)}Known: {', '.join(trainers)}.")
    if start is not None and head not in ADAPTERS:
        raise BadInput(f"'{head}' is not an adapter, so it starts anew.", "Leave out --start.")
    if not data.is_dir():
        raise BadInput(f"There is no folder {data}.", "Name the training data with --data.")
    out.mkdir(parents=True, exist_ok=True)
    trainers[head](data, home, out, seed, progress)


def plan(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from models.train_plan import train_plan

    return train_plan(data, home, out, seed, progress)


def followup(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from models.train_followup import train_followup

    return train_followup(data, home, out, seed, progress)


def terms(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from models.train_terms import train_terms

    return train_terms(data, home, out, seed, progress)


def ambiguity(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from models.train_matching import train_ambiguity

    return train_ambiguity(data, home, out, seed, progress)


def phrases(kind: Literal["talk", "approved"]) -> Trainer:
    """The trainer of a list of known phrases; it needs no data besides the list."""

    def trainer(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
        del data
        from models.train_matching import train_phrases

        return train_phrases(home, out, kind, seed, progress)

    return trainer


def orders(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from models.train_orders import train_orders

    return train_orders(data, home, out, seed, progress)


def reader(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from models.train_reader import train_reader

    return train_reader(data, home, out, seed, progress)


def ranges(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    """The sentences come with the install: neither data nor seed matter."""
    del data, seed
    from models.train_ranges import train_ranges

    train_ranges(home, out, progress)
    return None


def sft(
    data: Path, home: Path, out: Path, seed: int, progress: Progress | None, start: Path | None, device: str
) -> object:
    from models.train_sft import train_sft

    return train_sft(data, home, out, seed, progress, start=start, device=device)


def ppo(
    data: Path, home: Path, out: Path, seed: int, progress: Progress | None, start: Path | None, device: str
) -> object:
    from service.tuning import train_ppo

    return train_ppo(data, home, out, seed, progress, start=start, device=device)


def spans(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from service.span_tuning import train_spans

    return train_spans(data, home, out, seed, progress)


def best_of_n(
    data: Path, home: Path, out: Path, seed: int, progress: Progress | None, start: Path | None, device: str
) -> object:
    from service.best_of_n import train_best_of_n

    return train_best_of_n(data, home, out, seed, progress, start=start, device=device)


def preference(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from rewards.train_preference import train_preference

    return train_preference(data, home, out, seed, progress)


def reward(
    data: Path, home: Path, out: Path, seed: int, progress: Progress | None, start: Path | None, device: str
) -> object:
    from rewards.train_reward import train_reward

    return train_reward(data, home, out, seed, progress, start=start, device=device)


def rules(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from rewards.train_rules import train_rules

    return train_rules(data, home, out, seed, progress)


def unseen_rules(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from rewards.unseen_rules import measure_unseen

    return measure_unseen(data, home, out, seed, progress)


def support(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from rewards.train_support import train_support

    return train_support(data, home, out, seed, progress)


def second_judges(data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> object:
    from rewards.train_second import train_second_judges

    return train_second_judges(data, home, out, seed, progress)


HEADS: Mapping[str, Trainer] = {
    "reader": reader,
    "ranges": ranges,
    "spans": spans,
    "orders": orders,
    "plan": plan,
    "followup": followup,
    "terms": terms,
    "ambiguity": ambiguity,
    "talk": phrases("talk"),
    "approved": phrases("approved"),
    "preference": preference,
    "rules": rules,
    "unseen-rules": unseen_rules,
    "support": support,
    "second-judges": second_judges,
}
ADAPTERS: Mapping[str, Callable[..., object]] = {"sft": sft, "reward": reward, "best-of-n": best_of_n, "ppo": ppo}
"""Of the chat model; these can go on from another adapter and train on another device, as trainer(..., start=folder,
device="cuda")."""
NAMES = (*HEADS, *ADAPTERS)
