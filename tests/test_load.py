"""A hundred streams at once on loopback: none fails, no answer is lost. `passerine evaluate load` is the long run."""

from pathlib import Path

from eval.load import Streamed, ask_all, is_kept, reported
from eval.report import markdown
from tests.serving import GRAZES, quick


def test_a_hundred_streams_at_once_all_come_whole_and_are_kept(tmp_path: Path) -> None:
    with quick(tmp_path) as service:
        streams = ask_all(service.url, [f"Where does zebra {number} graze?" for number in range(100)])
        assert [stream.fault for stream in streams] == [""] * 100
        assert all(is_kept(service.client, stream) for stream in streams)
        answers = [stream.answer or {} for stream in streams]
        assert (
            len({answer["id"] for answer in answers}) == len({answer["conversation_id"] for answer in answers}) == 100
        )
        assert all(GRAZES in answer["text"] for answer in answers)
        assert service.client.get("/v1/status").json()["conversations"] == 100
        turnstile = service.application.asking.turnstile
        assert (turnstile.working, turnstile.waiting) == (0, 0)


def test_what_goes_wrong_is_counted_and_named(tmp_path: Path) -> None:
    with quick(tmp_path, question_limit=10) as service:
        streams = ask_all(service.url, ["A zebra?", "A question that is too long for this service"])
        assert [stream.fault for stream in streams] == ["", "status 413"]
        kept = [is_kept(service.client, stream) for stream in streams]
        service.client.delete(f"/v1/conversations/{(streams[0].answer or {})['conversation_id']}")
        assert not is_kept(service.client, streams[0]), "a lost answer is seen"
    assert kept == [True, False]
    report = reported(streams, kept, 2.0, 1)
    assert report.figures["load/streams whole"].value == 0.5
    assert not report.figures["load/answers kept"].reached
    assert "Fault: status 413" in markdown(report)


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    [stream] = ask_all("http://127.0.0.1:9", ["Anybody there?"])
    assert (stream.answer, "ConnectError" in stream.fault) == (None, True)
    report = reported([Streamed(0.0, 0.0, None, "gone")], [False], 1.0, 1)
    assert report.figures["load/streams whole"].value == 0
