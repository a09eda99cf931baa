"""The speed report measures both sides on the same passages and says what was reached."""

from pathlib import Path

import pytest

from eval.clock import Waited, clock_figures, event_times, refresh_speed, started
from eval.datasets import Entry
from eval.speed import TARGET_COSINE, TARGET_RATIO, Speed, measure, reported
from indexing.types import BadInput, Encoder

TEXTS = [
    "The lighthouse at the mouth of the river is 41 metres tall and was lit for the first time in 1893.",
    "河口的灯塔高四十一米，一八九三年首次点亮，至今仍由守塔人的后代照看。",
    "Bread rises because yeast turns sugar into carbon dioxide and alcohol.",
    "面包发酵是因为酵母把糖变成二氧化碳和酒精。",
]


def test_both_encoders_are_timed_and_compared(encoder: Encoder, models_home: Path) -> None:
    speed = measure(encoder, models_home, "multilingual-e5-small", TEXTS, rounds=1)
    assert len(speed.cosines) == len(TEXTS)
    assert min(speed.cosines) >= 0.998
    assert speed.rate > 0 < speed.plain_rate
    assert speed.query_ms > 0 < speed.batch_ms


def test_the_report_says_what_was_reached() -> None:
    slow = Speed("float32", "cpu", 190, 15.0, 30.0, (2.0, 2.0, 1.9), (0.9999, 0.9971), 9.0, 40.0)
    report = reported(slow, "an encoder", {}, {})
    ratio, cosine = report.figures["speed/encoder/ratio"], report.figures["speed/encoder/cosine"]
    assert (ratio.value, ratio.target, ratio.reached) == (2.0, TARGET_RATIO, False)
    assert (cosine.target, cosine.reached) == (TARGET_COSINE, False)
    assert report.figures["speed/encoder/cosine/least"].value == 0.9971
    assert report.figures["speed/encoder/query"].reached


def test_a_refresh_is_timed_beside_the_encoder_on_the_same_passages(encoder: Encoder) -> None:
    entries = [Entry(str(n), f"Light {n}", f"{text} It is number {n}.", "en") for n, text in enumerate(TEXTS * 3)]
    found = refresh_speed(entries, encoder, rounds=2)
    assert found.passages >= len(entries) // 3
    assert len(found.refreshed) == len(found.encoded) == 2
    assert 0 < found.ratio < 2
    waited = Waited(10, 4.0, None, (9.0, 11.0, 70.0), (200.0, 300.0, 400.0), (90.0, 100.0, 400.0))
    figures = clock_figures(found, waited)
    assert figures["speed/answer/first event p50"].reached
    assert not figures["speed/answer/first event p95"].reached
    assert figures["speed/refresh/passages"].baseline


def test_events_are_timed_over_http(examples_home: Path) -> None:
    with started(examples_home) as server:
        times = event_times(server.client, "Who landed on the Moon first?")
        fast = event_times(server.client, "Who landed on the Moon first?", "fast")
        memory = server.memory()
    assert len(times) >= 6
    assert times == sorted(times)
    assert times[0] < times[-1]
    assert fast
    assert 0 < server.seconds < 120
    assert memory is None or 100 < memory < 10_000


def test_a_service_that_cannot_start_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("nonsense: 1")
    with pytest.raises(BadInput, match="did not start"), started(tmp_path):
        pass
