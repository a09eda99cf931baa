"""Traces by OpenTelemetry: a span a request, and in it one for each stage of an answer.

Spans hold names and numbers: no question, no document, no address. A trace that the caller began goes on. Until `start`
is called nothing is traced, and OpenTelemetry need not be installed.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from indexing.types import BadInput
from service.config import STANDARD_TRACING, Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

LOG = logging.getLogger("passerine")
NAME = "passerine"


class Tracing:
    """The spans of one application. Safe to use from several threads."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def start(self, provider: "TracerProvider | None") -> None:
        """From now on spans go to the provider; None leaves tracing off."""
        self._provider = provider
        self._tracer = provider.get_tracer(NAME, version("passerine")) if provider else None

    def close(self) -> None:
        """Sends what is waiting."""
        if self._provider:
            self._provider.shutdown()

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[None]:
        """The span of a request, in the trace that its W3C header `traceparent` names, or in a new one."""
        if self._tracer is None:
            yield
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        began = TraceContextTextMapPropagator().extract(headers)
        with self._tracer.start_as_current_span(
            "request", began, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ):
            yield

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The span of a stage, where its request is traced. Of a failure the kind is told, not the words."""
        if self._tracer is None:
            yield
            return
        from opentelemetry.trace import StatusCode, get_current_span

        if not get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def answered(self, verdict: str) -> None:
        """Notes what became of the question of this request."""
        if self._tracer:
            from opentelemetry.trace import get_current_span

            get_current_span().set_attribute("passerine.verdict", verdict)

    def replied(self, method: str, route: str, status: int, request_id: str) -> None:
        """Names the span of this request by the template of its route."""
        if self._tracer is None:
            return
        from opentelemetry.trace import StatusCode, get_current_span

        span = get_current_span()
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "passerine.request_id": request_id,
            }
        )
        if status >= 500:
            span.set_status(StatusCode.ERROR)


def provider(settings: Settings) -> "TracerProvider | None":
    """Sends spans by OTLP over HTTP, to where the standard variables OTEL_* say; None where tracing is off.

    Raises BadInput when it was asked for and OpenTelemetry is not installed; where only the standard variables ask for
    it, which a platform may set for everybody, the log says so.
    """
    if not settings.tracing:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        missing = BadInput(
            "Traces need OpenTelemetry, which is not installed.",
            "Run `pip install 'passerine[otel]'`, or set tracing to false.",
        )
        if settings.origin("tracing").rpartition(" ")[2] not in STANDARD_TRACING:
            raise missing from None
        LOG.warning("%s", missing)
        return None
    named = Resource.create({"service.name": NAME, "service.version": version("passerine")})
    made = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made
