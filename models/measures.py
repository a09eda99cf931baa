"""How near a short answer comes to the gold ones, and how well a score tells two kinds apart.

Answers are compared after the normalisation of SQuAD's script (lower case, no punctuation, no English articles); a
Chinese character is a token.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

CJK = "\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff"
TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
ARTICLES = frozenset({"a", "an", "the"})


def tokens(text: str) -> list[str]:
    """Words and Chinese characters, NFKC, lower case, without punctuation and English articles."""
    found = TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
    return [token for token in found if token not in ARTICLES]


def token_f1(prediction: str, golds: Iterable[str]) -> float:
    """Best token F1 with any gold answer, in [0, 1]; 0 without a gold answer."""
    return max((pair_f1(tokens(prediction), tokens(gold)) for gold in golds), default=0.0)


def pair_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    """F1 of two bags of tokens; two empty bags are the same."""
    if not prediction or not gold:
        return float(list(prediction) == list(gold))
    shared = (Counter(prediction) & Counter(gold)).total()
    return 2 * shared / (len(prediction) + len(gold))


def exact(prediction: str, golds: Iterable[str]) -> bool:
    """Whether the prediction is one of the gold answers after normalisation."""
    return any(tokens(prediction) == tokens(gold) for gold in golds)


def auc(scores: ArrayLike, labels: ArrayLike, weights: NDArray[np.float64] | None = None) -> float:
    """Probability that a positive (label of at least 0.5) scores above a negative, ties one half; nan when one of them
    is missing."""
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64) >= 0.5
    w = np.ones(len(s)) if weights is None else weights
    order = np.argsort(s, kind="stable")
    s, y, w = s[order], y[order], w[order]
    starts = np.flatnonzero(np.r_[True, s[1:] > s[:-1]])
    right, wrong = np.add.reduceat(w * y, starts), np.add.reduceat(w * ~y, starts)
    total = right.sum() * wrong.sum()
    if total == 0:
        return float("nan")
    below = np.cumsum(wrong) - wrong
    return float((right * (below + wrong / 2)).sum() / total)
