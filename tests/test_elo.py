"""Elo ratings."""

import random

import pytest

from rewards.elo import Game, expected, ratings


def test_equal_players_have_equal_ratings() -> None:
    found = ratings([Game("a", "b", 1.0), Game("b", "a", 1.0), Game("a", "b", 0.5)])
    assert found["a"] == pytest.approx(1500.0)
    assert found["b"] == pytest.approx(1500.0)


def test_the_order_of_the_games_does_not_matter() -> None:
    games = [Game("a", "b", 1.0), Game("b", "c", 1.0), Game("a", "c", 0.5), Game("c", "a", 1.0), Game("a", "b", 0.0)]
    shuffled = list(games)
    random.Random(3).shuffle(shuffled)
    one, two = ratings(games), ratings(shuffled)
    assert all(one[name] == pytest.approx(two[name]) for name in one)


def test_it_finds_the_ratings_that_the_games_were_drawn_from() -> None:
    truth = {"a": 1650.0, "b": 1500.0, "c": 1350.0}
    draw = random.Random(0)
    games = []
    for _ in range(3000):
        one, two = draw.sample(sorted(truth), 2)
        games.append(Game(one, two, float(draw.random() < expected(truth[one], truth[two]))))
    found = ratings(games)
    assert all(abs(found[name] - truth[name]) < 25 for name in truth)


def test_a_player_who_always_wins_stays_finite() -> None:
    found = ratings([Game("a", "b", 1.0)] * 20)
    assert 1500 < found["a"] < 2300


def test_400_points_are_ten_wins_in_eleven() -> None:
    assert expected(1900, 1500) == pytest.approx(10 / 11)


def test_no_games_are_no_ratings_and_games_of_one_end_are_counted_at_once() -> None:
    assert ratings([]) == {}
    assert ratings([Game("a", "b", 1.0, 3), Game("b", "c", 0.5, 2)]) == pytest.approx(
        ratings([Game("a", "b", 1.0)] * 3 + [Game("b", "c", 0.5)] * 2)
    )
