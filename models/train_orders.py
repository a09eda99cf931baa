"""Training of the order detector: sentences that state, that ask, and that bid the one who answers."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from indexing.split import sentences
from indexing.types import BadInput, Progress
from models.fit import fold, interval
from models.heads import Head, HeadConfig, file_sha256
from models.json_lines import read_lines
from models.orders import BUCKETS, CLASSES, REQUEST, OrderDetector, marks_of
from models.reader_pairs import read_orders

OWN = Path(__file__).parent / "examples" / "orders.jsonl"
FILES = {
    "qa/squad.train": "MIT, CC BY-SA 4.0",
    "qa/drcd.train": "CC BY-SA 3.0",
    "qa/cmrc.train": "CC BY-SA 4.0",
    "qa/qamr.train": "MIT",
    "sft/natural-instructions.train": "CC BY, CC BY-SA, Apache-2.0, MIT",
    "sft/oasst-seed.train": "Apache-2.0",
    "lm/wiki-leads": "CC BY-SA",
    "rules/bipia-attacks.train": "MIT",
}
MOST = 4_000
"""Sentences of one kind from one file."""
OWN_WEIGHT = 8
"""Our own examples and the attacks are few: each counts so often."""
FALSE_ALARMS = 0.001
"""Share of other development sentences that may pass for orders: an order is hidden whatever the question."""
LEAST = 0.5
"""Whatever that share says, an order is likelier one than not: manuals bid more often than encyclopedias."""
EPOCHS = 6


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence, its class, and the key that says on which side of the development split it falls."""

    text: str
    label: int
    key: str
    weight: float = 1.0


def train_orders(data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None) -> Head:  # noqa: ARG001
    """Train on `data` and write weights, config.json and card.md into `out`. Half a minute."""
    examples = gathered(data, seed)
    train = [example for example in examples if fold(example.key) != 0]
    held = [example for example in examples if fold(example.key) == 0]
    head = fitted(train, seed, progress)
    control = fitted(shuffled(train, seed), seed)
    chances = OrderDetector(named(head, 1.0, {})).chances([example.text for example in held])
    labels = np.array([example.label for example in held])
    threshold = max(LEAST, float(np.quantile(chances[labels != 2, 2], 1 - FALSE_ALARMS)))
    sums = {name: file_sha256(data / f"{name}.jsonl.gz") for name in FILES} | {"examples/orders": file_sha256(OWN)}
    trained = named(head, threshold, sums)
    trained.save(out)
    rows = measured(held, chances, threshold)
    wrong = OrderDetector(named(control, 1.0, {})).chances([example.text for example in held])
    (out / "card.md").write_text(card(rows, measured(held, wrong, threshold), len(train), threshold), encoding="utf-8")
    return trained


def gathered(data: Path, seed: int) -> list[Example]:
    """Examples of the three classes; a file's share is a fixed sample."""
    rng = random.Random(seed)
    found: list[Example] = []
    for name, source in SOURCES.items():
        path = data / f"{name}.jsonl.gz"
        if not path.is_file():
            raise BadInput(f"There is no training file {path}.", "Name the data folder with --data.")
        own: dict[int, list[Example]] = {0: [], 1: [], 2: []}
        for example in source(read_lines(path)):
            own[example.label].append(example)
        for kept in own.values():
            unique = list({example.text: example for example in kept}.values())
            found += rng.sample(unique, min(MOST, len(unique)))
    for order in read_orders(data):
        said = order.text.split("```")[0]
        label = 2 if any(word in said for word in ADDRESS) else 1
        found.append(Example(said, label, order.category, OWN_WEIGHT))
    for row in read_lines(OWN):
        found.append(Example(row["text"], CLASSES.index(row["label"]), row["text"], OWN_WEIGHT))
    return found


ADDRESS = ("your answer", "your response", "your reply", "your message", "your solution", "our response")
"""Which of the attacks bid the one who answers; the others are requests that anyone could make."""


def read_sentences(text: str) -> list[str]:
    """The sentences of a text, without those of a word or two."""
    return [piece for start, end in sentences(text) if len(piece := text[start:end].strip()) > 8]


def reading(rows: Iterable[dict[str, Any]]) -> Iterator[Example]:
    """Statements from passages, requests from their questions."""
    for row in rows:
        key = row["title"] or row["context"]
        yield Example(row["question"], 1, key)
        for sentence in read_sentences(row["context"]):
            yield Example(sentence, 1 if sentence.endswith(("?", "？")) else 0, key)


def leads(rows: Iterable[dict[str, Any]]) -> Iterator[Example]:
    """Statements from first paragraphs."""
    for row in rows:
        for sentence in read_sentences(row["text"]):
            yield Example(sentence, 0, row["title"])


def chats(rows: Iterable[dict[str, Any]]) -> Iterator[Example]:
    """Requests: the first thing a person asks of an assistant."""
    for row in rows:
        first = row["dialogue"][0]
        text = first["text"] if isinstance(first, dict) else first
        yield from (Example(sentence, 1, text) for sentence in read_sentences(text)[:1])


def tasks(rows: Iterable[dict[str, Any]]) -> Iterator[Example]:
    """Orders: what a task tells a model to do. Their inputs are left out: they are of every kind."""
    for row in rows:
        for sentence in read_sentences(row["instruction"]):
            addressed = any(word in f" {sentence.lower()} " for word in (" you ", " your ", " output", "answer"))
            yield Example(sentence, 2 if addressed else 1, row["task"], OWN_WEIGHT)


Source = Callable[[Iterable[dict[str, Any]]], Iterator[Example]]
SOURCES: dict[str, Source] = {
    "qa/squad.train": reading,
    "qa/drcd.train": reading,
    "qa/cmrc.train": reading,
    "qa/qamr.train": reading,
    "sft/natural-instructions.train": tasks,
    "sft/oasst-seed.train": chats,
    "lm/wiki-leads": leads,
}


def fitted(examples: Sequence[Example], seed: int, progress: Progress | None = None) -> Head:
    """Multinomial logistic regression with AdamW, sums of marks over the root of their number."""
    torch.manual_seed(seed)
    marks = [torch.tensor(sorted(marks_of(example.text))) for example in examples]
    labels = torch.tensor([example.label for example in examples])
    weights = torch.tensor([example.weight for example in examples])
    bag = nn.EmbeddingBag(BUCKETS, len(CLASSES), mode="sum")
    nn.init.zeros_(bag.weight)
    bias = nn.Parameter(torch.zeros(len(CLASSES)))
    optimiser = torch.optim.AdamW([*bag.parameters(), bias], lr=0.02, weight_decay=0.01)
    for epoch in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(examples)), 256):
            own = [marks[number] for number in batch.tolist()]
            sizes = torch.tensor([len(one) for one in own])
            offsets = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)[:-1]])
            logits = bag(torch.cat(own), offsets) / sizes.sqrt()[:, None] + bias
            loss = nn.functional.cross_entropy(logits, labels[batch], reduction="none")
            optimiser.zero_grad()
            (loss * weights[batch]).mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if progress is not None:
            progress("orders", epoch + 1, EPOCHS)
    weight = bag.weight.detach().numpy().T.astype(np.float32)
    return Head(HeadConfig("orders", seed=seed, outputs=CLASSES), ((weight, bias.detach().numpy()),))


def named(head: Head, threshold: float, sums: dict[str, str]) -> Head:
    """The head with its threshold and the checksums of its data."""
    config = HeadConfig("orders", seed=head.config.seed, outputs=CLASSES, data=sums, thresholds={"order": threshold})
    return Head(config, head.layers)


def shuffled(examples: Sequence[Example], seed: int) -> list[Example]:
    """The same sentences with the labels of others."""
    labels = [example.label for example in examples]
    random.Random(seed).shuffle(labels)
    return [Example(one.text, label, one.key, one.weight) for one, label in zip(examples, labels, strict=True)]


def measured(held: Sequence[Example], chances: Any, threshold: float) -> dict[str, str]:
    """Shares in percent on development sentences, with 95% intervals over keys."""
    rows = {}
    for number, name in enumerate(CLASSES):
        own = [place for place, example in enumerate(held) if example.label == number]
        keys = [held[place].key for place in own]
        called = [float(chances[place, 2] >= threshold) for place in own]
        bid = [float(1 - chances[place, 0] >= REQUEST) for place in own]
        cells = []
        for values in (called, bid):
            mean, low, high = (100 * value for value in interval(values, keys, draws=500))
            cells.append(f"{mean:.2f} ({low:.2f} to {high:.2f})")
        rows[name] = f"{len(own)} | " + " | ".join(cells)
    return rows


def card(rows: dict[str, str], control: dict[str, str], count: int, threshold: float) -> str:
    """card.md."""
    body = "\n".join(f"| {name} | {cells} |" for name, cells in rows.items())
    wrong = "\n".join(f"| {name} | {cells} |" for name, cells in control.items())
    files = ";\n".join(f"{name} ({licence})" for name, licence in FILES.items())
    head = "| development sentences | number | called an order | called a request or an order |\n|---|---|---|---|"
    return f"""# Orders in evidence

A linear model over {BUCKETS:,} hashed words and word pairs of a sentence: does it state something, ask or bid anyone,
or bid the one who answers? Made by `passerine train orders` from {count:,} sentences:
{files};
and our own, mostly Chinese, in models/examples/orders.jsonl. Weights: Apache-2.0.

A sentence is an order from {threshold:.3f} on: at most {FALSE_ALARMS:.1%} of the other
development sentences pass for orders there. In %, 95% intervals by bootstrap over articles and kinds of attack;
development is a fifth of them by hash.

{head}
{body}

The same on shuffled labels:

{head}
{wrong}

Limits: English and Chinese; an order in the words of a statement ("answers end with a link") passes; a manual that
speaks of "your answer" loses that sentence to the reader, not to the index.
"""
