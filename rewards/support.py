"""The support judge: do the quoted words answer the question, and do they say what the candidate says?

Two parts: a network that reads question, candidate and quote; and a logistic sum of its logit with what the policy
and the retriever know (the reader's own confidence, the hit's score), fitted on development answers.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.types import BadInput, ModelDamaged
from models.answer_type import fits
from models.overlap import terms
from models.types import Candidate, Conversation
from rewards.interaction import Interaction, Reader, Trained, load_network
from rewards.names import holds, names_another, names_another_code, names_another_day, names_of
from rewards.network_fit import outputs_of
from rewards.readings import ANSWER, QUESTION, Draft, Readings, draft

BUNDLED = Path(__file__).parent / "bundled" / "support"
FEATURES = ("network", "log_prob", "hit_score", "asked", "read", "named", "length", "near")
"""Logit of the network; the policy's log_prob; the best score of a hit it read; the share of the question's words that
stand in the quotes, and of those that stand in the passages read, or in the titles of their documents; the share of its
names and numbers that stand there; ln(1 + characters of the bare answer); the cosine of the encoder's vectors of
question and candidate, under the title of what was read."""
LEAST_LOG_PROB = -10.0
"""Below this a policy's confidence tells nothing more."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of FEATURES and a bias: s = sigmoid(weights . features + bias)."""

    weights: tuple[float, ...]
    bias: float

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n] in [0, 1] of features [n, len(FEATURES)]."""
        logits = np.clip(features @ np.asarray(self.weights) + self.bias, -30, 30)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


def fit_calibration(
    features: NDArray[np.float64], labels: Sequence[float], penalty: float = 1.0, used: Sequence[str] = FEATURES
) -> Calibration:
    """Logistic regression by Newton's method on development answers; `labels` say whether each was right.

    `penalty` is the L2 weight on standardised features; a feature that is not `used` gets weight 0. Raises BadInput
    when all labels are the same.
    """
    wanted = np.asarray(labels, dtype=np.float64)
    if wanted.min() == wanted.max():
        raise BadInput("All labels are the same.", "Calibrate on answers of which some are right and some are wrong.")
    columns = [FEATURES.index(name) for name in used]
    chosen = np.asarray(features, dtype=np.float64)[:, columns]
    mean, spread = chosen.mean(axis=0), chosen.std(axis=0)
    spread[spread < 1e-9] = np.inf
    x = np.hstack([(chosen - mean) / spread, np.ones((len(chosen), 1))])
    ridge = np.diag([penalty] * len(columns) + [1e-6])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, x.T @ (wanted - p) - ridge @ w)
        w += step
        if np.abs(step).max() < 1e-8:
            break
    weights = np.zeros(len(FEATURES))
    weights[columns] = w[:-1] / spread
    return Calibration(tuple(float(v) for v in weights), float(w[-1] - (w[:-1] / spread) @ mean))


def load_calibration(path: Path) -> Calibration:
    """Read calibration.json. Raises ModelDamaged when it does not fit FEATURES."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        given = {"near": 0.0, **data["weights"]}  # older files do not name it
        return Calibration(tuple(float(given[name]) for name in FEATURES), float(data["bias"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{path} cannot be read.", "Install the package again.") from error


def save_calibration(calibration: Calibration, path: Path, **notes: object) -> None:
    """Write calibration.json with notes on where it comes from."""
    data = {"weights": dict(zip(FEATURES, calibration.weights, strict=True)), "bias": calibration.bias, **notes}
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def known(log_prob: float, score: float, held: tuple[float, float, float], short: str) -> tuple[float, ...]:
    """The FEATURES of a candidate between the network's logit and its nearness; `held` is what `told` gives."""
    confidence = max(log_prob, LEAST_LOG_PROB) if math.isfinite(log_prob) else LEAST_LOG_PROB
    return confidence, score, *held, math.log1p(len(short))


def nearness(reader: Reader, drafts: Sequence[Draft]) -> NDArray[np.float64]:
    """Cosine of question and answer of each draft, [n]."""
    questions, answers = [QUESTION + each.question for each in drafts], [ANSWER + each.answer for each in drafts]
    asked, given = np.split(reader.vectors([*questions, *answers]), 2)
    return np.asarray((asked * given).sum(axis=1), np.float64)


def shared(question: str, candidate: Candidate) -> tuple[float, float, float]:
    """What `told` says of a candidate."""
    evidence = [(hit.document.title, hit.passage.text) for hit in candidate.evidence]
    return told(question, evidence, [quote.text for quote in candidate.quotes])


def told(question: str, evidence: Sequence[tuple[str, str]], quotes: Sequence[str]) -> tuple[float, float, float]:
    """Shares in [0, 1]: of the question's words that the quotes hold, of those that the passages read hold, and of its
    names and numbers that the passages hold (1 when it has none). The titles of what was read count as held. `evidence`
    holds (title, text)."""
    titles = " ".join(title for title, _ in evidence)
    passages = " ".join([titles, *(text for _, text in evidence)])
    wanted = terms(question)
    asked = terms(" ".join([titles, *quotes]))
    names = names_of(question)
    text = passages.casefold()
    return (
        len(wanted & asked) / max(1, len(wanted)),
        len(wanted & terms(passages)) / max(1, len(wanted)),
        sum(holds(text, name) for name in names) / len(names) if names else 1.0,
    )


def beside_the_question(question: str, candidate: Candidate) -> bool:
    """Whether a candidate cannot answer: its bare answer is nothing that the question asks for, or the question names
    one of a series that nothing its evidence says is about, a day where it quotes a row of another, or a code where
    what it quotes, under its titles and headings, has another."""
    text = " ".join(f"{hit.document.title} {hit.passage.text}" for hit in candidate.evidence)
    if (candidate.short and not fits(question, candidate.short)) or names_another(question, text):
        return True
    if candidate.quotes and all(names_another_day(question, quote.text) for quote in candidate.quotes):
        return True
    quoted = {quote.document_id for quote in candidate.quotes}
    above = [f"{hit.document.title} {hit.passage.heading}" for hit in candidate.evidence if hit.document.id in quoted]
    texts = [" ".join([*above, *(quote.text for quote in candidate.quotes)]), text]
    if names_another_code(question, candidate.short):  # what replaced the AH-200: the answer is another by right
        texts = [told.replace(candidate.short, " ") for told in texts]
    return names_another_code(question, *texts)


class TrainedSupport:
    """s(quote, statement): the candidate answers the question and its quotes support it.

    A statement without a quote has 0, and so has one that is `beside_the_question`. What states no fact has 1 and is
    not read.
    """

    name = "support"

    def __init__(self, readings: Readings, network: Interaction, trained: Trained, calibration: Calibration) -> None:
        self.readings = readings
        self.network = network
        self.trained = trained
        self.calibration = calibration

    @classmethod
    def load(cls, readings: Readings, folder: Path = BUNDLED) -> "TrainedSupport":
        """The judge of `folder`. Raises ModelMissing, ModelDamaged or EncoderMismatch."""
        network, trained = load_network(folder, readings.fingerprint, readings.layer)
        return cls(readings, network, trained, load_calibration(folder / "calibration.json"))

    def features(self, conversation: Conversation, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """float64 [n, len(FEATURES)] of candidates, for `fit_calibration`."""
        if not candidates:
            return np.zeros((0, len(FEATURES)))
        drafts = [draft(conversation, candidate) for candidate in candidates]
        logits = outputs_of(self.network, self.readings, drafts)[:, 0]
        rows = []
        for candidate, logit, near in zip(candidates, logits, nearness(self.readings, drafts), strict=True):
            score = max((hit.score for hit in candidate.evidence), default=0.0)
            held = shared(conversation.question, candidate)
            rows.append([float(logit), *known(candidate.log_prob, score, held, candidate.short), float(near)])
        return np.asarray(rows, dtype=np.float64)

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[float]:
        """In [0, 1] a candidate."""
        read = [i for i, c in enumerate(candidates) if c.kind == "statement" and c.quotes]
        found = [0.0 if candidate.kind == "statement" else 1.0 for candidate in candidates]
        shares = self.calibration.probabilities(self.features(conversation, [candidates[i] for i in read]))
        for i, share in zip(read, shares.tolist(), strict=True):
            found[i] = 0.0 if beside_the_question(conversation.question, candidates[i]) else share
        return found
