"""The index beside others: real passages are cut and kept once, and the report says what was reached."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from eval.index_speed import (
    Curve,
    Freshness,
    Ours,
    both,
    by_turns,
    drawn,
    enlarged,
    freshness,
    measured,
    reported,
    resident,
    run_index,
    same,
)
from eval.passages import CHARACTERS, WORDS, cut, passages
from eval.report import Figure, Report, Table
from indexing.postings import Postings
from indexing.types import BadInput
from indexing.vocabulary import numbered
from service.config import load
from tests.hashing import HashingEncoder

PASSAGES = [[f"w{(row * 7 + place * place) % 211}" for place in range(40)] for row in range(400)]


def test_pages_and_texts_become_different_passages(tmp_path: Path) -> None:
    words = " ".join(f"word{n}" for n in range(3 * WORDS))
    (tmp_path / "page.html").write_text(f"<html><body><nav>menu</nav><p>{words}</p></body></html>", encoding="utf-8")
    (tmp_path / "again.txt").write_text(words, encoding="utf-8")
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(f"{words} and {words}".encode()))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    found = list(passages(tmp_path))
    assert len(found) == len(set(found))
    assert " ".join(f"word{n}" for n in range(WORDS)) in found
    assert all(WORDS // 2 < len(passage.split()) <= WORDS for passage in found)
    assert not any("menu" in passage for passage in found)


def test_chinese_is_cut_by_characters() -> None:
    found = list(cut("登月的人是谁" * 100))
    assert {len(passage) for passage in found[:-1]} == {CHARACTERS}


def test_beyond_the_real_passages_halves_of_two_are_joined() -> None:
    assert enlarged(PASSAGES, 50) == PASSAGES[:50]
    more = enlarged(PASSAGES, 1000)
    assert (len(more), more[: len(PASSAGES)]) == (1000, PASSAGES)
    begins, ends = ({tuple(passage[place]) for passage in PASSAGES} for place in (slice(20), slice(20, None)))
    assert all(tuple(passage[:20]) in begins and tuple(passage[20:]) in ends for passage in more)


def test_every_engine_answers_every_turn() -> None:
    ours = Ours(Postings.of(numbered((tokens, ()) for tokens in PASSAGES)))
    for queries in drawn(PASSAGES, 60).values():
        times = by_turns([ours], queries, 10)
        assert len(times["passerine"]) == 2
        assert all(seconds > 0 for seconds in times["passerine"])
        assert all(same(ours.lexical, query, 10) for query in queries)


def test_the_peers_are_asked_the_same() -> None:
    pytest.importorskip("bm25s")
    pytest.importorskip("tantivy")
    curve = measured(PASSAGES, 30)
    assert set(curve.builds) == {"passerine", "bm25s", "tantivy"}
    assert curve.agreed == 60
    assert curve.ratio("keywords", 10) > 0


def test_added_and_deleted_passages_are_found_and_gone(tmp_path: Path) -> None:
    source = tmp_path / "passages.txt"
    source.write_text("".join(f"line{n} of a passage\n" for n in range(1200)), encoding="utf-8")
    fresh = freshness(source, 1200, HashingEncoder(), trials=2)
    assert len(fresh.added) == len(fresh.deleted) == len(fresh.pushed) == 2


def test_the_report_says_what_was_reached() -> None:
    turns = {
        (kind, k): {"passerine": [1e-3, 1e-3, 2e-3], "bm25s": [2e-3] * 3, "tantivy": [3e-3] * 3}
        for kind in ("keywords", "sentences")
        for k in (10, 100)
    }
    curve = Curve(
        1000,
        40_000,
        100_000,
        500,
        {"passerine": 1.0, "bm25s": 9.0, "tantivy": 4.0},
        {"passerine": 5_000_000},
        turns,
        100,
    )
    figures = reported([curve], Freshness(1000, (40.0,), (60.0,), (900.0, 1100.0, 1200.0)), 60).figures
    ratio = figures["index/keywords, best 10, beside the better peer"]
    assert (ratio.value, ratio.reached) == (2.0, True)
    assert (figures["index/build, beside the quicker peer"].value, figures["index/bytes a posting"].value) == (4.0, 2.5)
    assert figures["index/1,000 added until found"].reached
    assert not figures["index/1,000 deleted until found"].reached
    assert not figures["index/a pushed document until found"].reached


def test_what_is_allocated_is_counted_as_memory() -> None:
    before = resident()
    kept = np.ones(20_000_000)
    assert resident() - before == pytest.approx(kept.nbytes, rel=0.2)


def test_words_and_vectors_stand_in_one_report() -> None:
    parts = [
        Report(name, "", (Table("Built", ("a",), (("1",),)),), {f"{name}/x": Figure(1.0, 1)}, notes=(name,))
        for name in ("index", "dense")
    ]
    whole = both(*parts)
    assert [table.title for table in whole.tables] == ["Built", "Vectors: Built"]
    assert (whole.name, list(whole.figures), whole.notes) == ("index", ["index/x", "dense/x"], ("index", "dense"))


def test_an_absent_peer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.index_speed.find_spec", lambda name: None if name == "tantivy" else object())
    with pytest.raises(BadInput, match="tantivy") as error:
        run_index(tmp_path, load({"home": tmp_path}, {}), tmp_path)
    assert "pip install" in error.value.hint
