"""The preference judge beside what needs no training: the longer answer wins, the one closer to the question wins.

People like long answers, so that a judge may look good by liking them too. Evened by length, the pairs whose longer
answer was preferred count half and those whose shorter one was preferred count half: there the longer answer is right
in one half of the cases, and only what tells answers apart otherwise is better.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eval.report import Table
from indexing.types import Encoder
from rewards.corpus import Corpus
from rewards.interaction import Interaction
from rewards.measures import evened_interval, mean_interval, pair_hits
from rewards.network_fit import outputs_of
from rewards.preference_data import Ranking
from rewards.readings import Draft

POOLS = ("human", "built", "all")
MADE = ("halueval",)
"""Sources whose worse answers a model wrote: no person compared them."""
COLUMNS = (
    "test set",
    "pairs",
    "judge",
    "longer answer",
    "closer to the question",
    "evened by length: judge",
    "closer to the question",
    "judge less the closer",
)


def preference_table(network: Interaction, reader: Corpus, encoder: Encoder, test: Sequence[Ranking]) -> Table:
    """Accuracy over the pairs that people did not tie, with 95% intervals (prompts drawn), by source and pooled."""
    drafts = [draft for ranking in test for draft in ranking.drafts]
    starts = np.cumsum([0, *(len(ranking.drafts) for ranking in test)])
    lengths = np.asarray([float(len(draft.answer)) for draft in drafts])
    scores = outputs_of(network, reader, drafts)[:, 0].astype(np.float64), lengths, closeness(encoder, drafts)
    found = [
        (starts[number] + i, starts[number] + j, share, ranking.group, ranking.source)
        for number, ranking in enumerate(test)
        for i, j, share in ranking.pairs
        if share != 0.5
    ]
    left, right, shares, groups, sources = (list(column) for column in zip(*found, strict=True))
    judge, longer, closer = (pair_hits(values[left], values[right], shares) for values in scores)
    built = np.asarray([source.startswith("built") for source in sources])
    human = ~built & np.asarray([source not in MADE for source in sources])
    own = {name: np.asarray([source == name for source in sources]) for name in sorted(set(sources))}
    rows = []
    for name, at in {**own, **dict(zip(POOLS, (human, built, built | True), strict=True))}.items():
        places = np.flatnonzero(at)
        if not len(places):
            continue
        some = [groups[place] for place in places]
        plain = [mean_interval(hits[at], some) for hits in (judge, longer, closer)]
        even = [evened_interval(hits[at], longer[at], some) for hits in (judge, closer, judge - closer)]
        cells = (f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" for one in (*plain, *even))
        rows.append((name, f"{len(places):,}", *cells))
    return Table("Preference beside baselines without training", COLUMNS, tuple(rows))


def closeness(encoder: Encoder, drafts: Sequence[Draft]) -> NDArray[np.float64]:
    """Cosine of each draft's question and answer, by the encoder of the search."""
    asked = {text: number for number, text in enumerate(dict.fromkeys(draft.question for draft in drafts))}
    questions = encoder.encode_queries(list(asked))
    answers = encoder.encode_passages([draft.answer for draft in drafts])
    places = [asked[draft.question] for draft in drafts]
    return np.asarray((questions[places] * answers).sum(axis=1), dtype=np.float64)
