"""What Passerine counts about itself, in Prometheus' text form. Numbers only: no question, no document, no key."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.types import Answer, Verdict

if TYPE_CHECKING:
    from service.application import Application

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of the buckets: a search takes hundredths of a second, an answer on a laptop tenths, on a busy one seconds."""


class Metrics:
    """The counters of one application. What can be looked up instead of counted is looked up when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "passerine_requests", "Requests by route and status.", ("method", "route", "status"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "passerine_request_seconds",
            "From a request to the end of its reply; a stream counts until it is closed.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "passerine_stage_seconds",
            "Time of each stage of an answer; `total` is the whole.",
            ("stage",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._answers = Counter("passerine_answers", "Answers by verdict.", ("verdict",), registry=self.registry)
        for verdict in get_args(Verdict):
            self._answers.labels(verdict)  # a rate needs the zero before the first one
        self._unfinished = Counter(
            "passerine_unfinished", "Questions without an answer: stopped or failed.", ("how",), registry=self.registry
        )
        for how in ("stopped", "failed"):
            self._unfinished.labels(how)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is the template of the path: what people asked for is not kept, and the labels stay few."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def answered(self, answer: Answer) -> None:
        self._answers.labels(answer.verdict).inc()
        for stage, seconds in answer.timings.items():
            self._stage_seconds.labels(stage).observe(seconds)

    def unfinished(self, how: str) -> None:
        """`how` is "stopped" or "failed"."""
        self._unfinished.labels(how).inc()


class Now:
    """What an application is like at this moment; nothing is loaded for it."""

    def __init__(self, app: "Application") -> None:
        self.app = app

    def collect(self) -> Iterator[Metric]:
        app, turnstile = self.app, self.app.asking.turnstile
        yield GaugeMetricFamily("passerine_ready", "1 when questions can be answered.", float(app.startup.ready))
        queue = GaugeMetricFamily("passerine_questions", "Questions being worked on, and waiting.", labels=["state"])
        queue.add_metric(["working"], turnstile.working)
        queue.add_metric(["waiting"], turnstile.waiting)
        yield queue
        jobs = GaugeMetricFamily("passerine_jobs", "Refreshes that are kept, by state.", labels=["state"])
        for state, count in app.refreshes.jobs.by_state().items():
            jobs.add_metric([state], count)
        yield jobs
        if app.parts.stage.state == "ready":
            cache = CounterMetricFamily("passerine_cache", "Readings asked for.", labels=["cache", "outcome"])
            for name, recent in app.parts.get().caches.items():
                cache.add_metric([name, "hit"], recent.hits)
                cache.add_metric([name, "miss"], recent.misses)
            yield cache
        if app.library.stage.state == "ready":
            counts = app.library.get().counts()
            yield GaugeMetricFamily("passerine_index_documents", "Documents in the index.", counts.documents)
            yield GaugeMetricFamily("passerine_index_passages", "Passages in the index.", counts.passages)
            yield GaugeMetricFamily("passerine_index_bytes", "What the index takes on disk.", counts.bytes)


def exposition(app: "Application") -> str:
    """Everything, in Prometheus' text format 0.0.4."""
    return (generate_latest(app.metrics.registry) + generate_latest(Now(app))).decode()
