"""How it goes, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from fastapi import Depends, FastAPI, Response
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inbox.api.auth import METRICS_PATH, the_caller
from inbox.api.door import Door
from inbox.interface import Metrics

WINDOW_SECONDS = 300.0
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
GAUGES: tuple[tuple[str, str, str], ...] = (
    ("pending_jobs", "inbox_jobs_pending", "Jobs that wait for a worker."),
    ("processing_jobs", "inbox_jobs_processing", "Jobs that are worked on."),
    ("pending_files", "inbox_files_pending", "Files of jobs that are not over, yet to be done."),
    ("oldest_pending_seconds", "inbox_oldest_pending_seconds", "How long the oldest job waits."),
    ("webhook_messages_waiting", "inbox_webhook_messages_waiting", "Messages to be delivered."),
    ("finished_files", "inbox_recent_files_completed", "Files completed in five minutes."),
    ("review_files", "inbox_recent_files_for_review", "Of these, marked for review."),
    ("cost", "inbox_recent_cost", "What models cost in five minutes, where prices are known."),
)


class Requests:
    """Counts of this process's requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.count = Counter(
            "inbox_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "inbox_http_request_seconds",
            "Time to the first byte of the answer.",
            ["method", "route"],
            buckets=LATENCIES,
            registry=self.registry,
        )


class Measured:
    """Counts requests by route, so that ids in paths do not become labels."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        requests: Requests = scope["app"].state.requests

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
                route = getattr(scope.get("route"), "path", "none")
                requests.count.labels(method, route, str(message["status"])).inc()
                requests.seconds.labels(method, route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, measured)


KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Rows(Collector):
    """What the rows say, once."""

    def __init__(self, found: Metrics) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        found = self._found
        for field, name, help_text in GAUGES:
            yield GaugeMetricFamily(name, help_text, value=float(getattr(found, field)))
        yield GaugeMetricFamily(
            "inbox_recent_pages_per_second",
            "Pages read a second, over five minutes.",
            value=found.pages / WINDOW_SECONDS,
        )
        yield GaugeMetricFamily(
            "inbox_recent_ocr_share",
            "Share of the pages of five minutes that OCR had a part in.",
            value=found.ocr_pages / found.pages if found.pages else 0,
        )
        errors = GaugeMetricFamily(
            "inbox_recent_files_failed", "Files that failed in five minutes.", labels=["code"]
        )
        for code, count in found.errors.items():
            errors.add_metric([code], count)
        yield errors


def install_metrics(app: FastAPI, denials: dict[int | str, dict[str, Any]]) -> None:
    """Serve /metrics."""
    app.state.requests = Requests()

    @app.get(
        METRICS_PATH,
        response_class=Response,
        dependencies=[Depends(the_caller)],
        responses={
            **denials,
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        },
    )
    def metrics(inbox: Door) -> Response:
        """How it goes, in Prometheus's text format; needs the scope `metrics`."""
        rows = CollectorRegistry()
        rows.register(Rows(inbox.metrics(WINDOW_SECONDS)))
        body = generate_latest(rows) + generate_latest(app.state.requests.registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)
