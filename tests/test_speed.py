"""The speed report measures both sides on the same passages and says what was reached."""

from pathlib import Path

from eval.speed import TARGET_COSINE, TARGET_RATIO, Speed, measure, reported
from indexing.types import Encoder

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
    report = reported(slow, "an encoder")
    ratio, cosine = report.figures["speed/encoder/ratio"], report.figures["speed/encoder/cosine"]
    assert (ratio.value, ratio.target, ratio.reached) == (2.0, TARGET_RATIO, False)
    assert (cosine.target, cosine.reached) == (TARGET_COSINE, False)
    assert report.figures["speed/encoder/cosine/least"].value == 0.9971
    assert report.figures["speed/encoder/query"].reached
