"""What was made last is not made again."""

from models.recent import Recent


def test_each_value_is_made_once_until_it_is_the_oldest() -> None:
    made: list[str] = []

    def make(keys: list[str]) -> list[str]:
        made.extend(keys)
        return [key.upper() for key in keys]

    recent: Recent[str, str] = Recent(2)
    assert recent.of(["a", "b", "a"], make) == ["A", "B", "A"]
    assert recent.of(["a"], make) == ["A"]
    assert (made, recent.hits, recent.misses) == (["a", "b"], 1, 2)
    recent.of(["c"], make)
    assert recent.of(["b", "a", "c"], make) == ["B", "A", "C"], "more at once than it remembers"
    assert made == ["a", "b", "c", "b"], "b was the oldest"
