"""Traces, as OpenTelemetry's own exporter in memory receives them."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from indexing.types import BadInput
from service import tracing
from service.config import load
from tests.serving import Served, quick, stream, wait_until

STAGES = ["plan", "search", "propose", "judge", "select", "cite"]
TRACE, CALLER = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
QUESTION = "What does the zebra do at Llanfair?"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with quick(tmp_path_factory.mktemp("home")) as service:
        yield service


@pytest.fixture
def sent(served: Served) -> Iterator[InMemorySpanExporter]:
    """What is sent while the test runs."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    served.application.tracing.start(provider)
    yield exporter
    served.application.tracing.start(None)


def spans(sent: InMemorySpanExporter, request: str) -> tuple[ReadableSpan, Sequence[ReadableSpan]]:
    """The span of the request, when it has ended, and those within."""
    wait_until(lambda: any(span.name == request for span in sent.get_finished_spans()))
    [root] = [span for span in sent.get_finished_spans() if span.name == request]
    assert root.context
    return root, [
        span for span in sent.get_finished_spans() if span.parent and span.parent.span_id == root.context.span_id
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_request_is_a_span_of_the_callers_trace_with_a_span_for_each_stage(
    served: Served, sent: InMemorySpanExporter, streamed: bool
) -> None:
    served.client.headers["traceparent"] = f"00-{TRACE:032x}-{CALLER:016x}-01"
    if streamed:
        stream(served.client, {"message": QUESTION})
    else:
        served.client.post("/v1/chat", json={"message": QUESTION})
    del served.client.headers["traceparent"]
    root, stages = spans(sent, "POST /v1/chat")
    assert root.context
    assert root.parent
    assert (root.context.trace_id, root.parent.span_id) == (TRACE, CALLER)
    assert [span.name for span in stages] == STAGES
    told = dict(root.attributes or {})
    assert (told["http.response.status_code"], told["passerine.verdict"]) == (200, "answered")
    assert told["passerine.request_id"]
    whole = json.dumps([json.loads(span.to_json()) for span in sent.get_finished_spans()])
    for private in ("Llanfair", "zebra", "grazes", "127.0.0.1"):
        assert private not in whole


def test_a_failure_is_told_by_its_kind_alone(
    served: Served, sent: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = served.application.parts.get()
    monkeypatch.setattr(type(parts.policy), "propose", lambda *_, **__: (_ for _ in ()).throw(ValueError(QUESTION)))
    assert served.client.post("/v1/chat", json={"message": QUESTION}).status_code == 500
    root, stages = spans(sent, "POST /v1/chat")
    assert [root.status.status_code, stages[-1].status.status_code] == [StatusCode.ERROR] * 2
    assert (stages[-1].name, dict(stages[-1].attributes or {})) == ("propose", {"error.type": "ValueError"})
    assert all("Llanfair" not in span.to_json() for span in [root, *stages])


def test_nothing_is_sent_unless_somebody_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(variables: dict[str, str], **options: object) -> tuple[bool, str]:
        settings = load({"home": tmp_path, **options}, variables)
        return settings.tracing, settings.origin("tracing")

    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    assert asked({}) == (False, "default")
    assert asked(where) == (True, "environment OTEL_EXPORTER_OTLP_ENDPOINT")
    assert asked({**where, "OTEL_SDK_DISABLED": "true"})[0] is False
    assert asked({**where, "OTEL_TRACES_EXPORTER": "none"})[0] is False
    assert asked({**where, "PASSERINE_TRACING": "false"}) == (False, "environment PASSERINE_TRACING")
    assert tracing.provider(load({"home": tmp_path}, {})) is None
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(BadInput, match="not installed") as caught:
        tracing.provider(load({"home": tmp_path, "tracing": True}, {}))
    assert "passerine[otel]" in caught.value.hint
    assert tracing.provider(load({"home": tmp_path}, where)) is None, "a platform's variables stop no service"
