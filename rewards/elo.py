"""Elo ratings of policies (or candidates) from pairwise comparisons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

START = 1500.0
SCALE = 400.0
"""A player 400 points ahead is expected to win ten times in eleven."""


@dataclass(frozen=True, slots=True)
class Game:
    """One comparison, or `count` of the same end; `share` is 1 when a was preferred, 0 when b was, 0.5 for a tie."""

    a: str
    b: str
    share: float
    count: int = 1


def expected(a: float, b: float) -> float:
    """Expected share of a player rated `a` against one rated `b`, in (0, 1)."""
    return float(1.0 / (1.0 + 10.0 ** ((b - a) / SCALE)))


def ratings(games: Sequence[Game], rounds: int = 2000, tie: float = 1.0) -> dict[str, float]:
    """Ratings under which the expected shares equal the observed ones, whatever the order of the games.

    The fixed point of Elo's rule is the Bradley-Terry maximum likelihood, found here by Hunter's (2004) iteration;
    `tie` adds that many drawn games between each player and an average one, so that a player who won every game stays
    finite. The mean rating is START.
    """
    names = sorted({name for game in games for name in (game.a, game.b)})
    if not names:
        return {}
    won = dict.fromkeys(names, tie / 2)
    met: dict[tuple[str, str], float] = {}
    for game in games:
        won[game.a] += game.share * game.count
        won[game.b] += (1.0 - game.share) * game.count
        pair = (min(game.a, game.b), max(game.a, game.b))
        met[pair] = met.get(pair, 0.0) + game.count
    strength = dict.fromkeys(names, 1.0)
    for _ in range(rounds):
        fresh = _step(strength, won, met, tie)
        moved = max(abs(math.log(fresh[name] / strength[name])) for name in names)
        strength = fresh
        if moved < 1e-10:
            break
    points = {name: SCALE * math.log10(strength[name]) for name in names}
    mean = sum(points.values()) / len(points)
    return {name: START + value - mean for name, value in points.items()}


def _step(
    strength: Mapping[str, float], won: Mapping[str, float], met: Mapping[tuple[str, str], float], tie: float
) -> dict[str, float]:
    share = {name: tie / (strength[name] + 1.0) for name in strength}
    for (a, b), count in met.items():
        if a != b:
            share[a] += count / (strength[a] + strength[b])
            share[b] += count / (strength[a] + strength[b])
    return {name: won[name] / share[name] for name in strength}
