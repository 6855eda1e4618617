"""OpenTelemetry traces, by setting."""

from __future__ import annotations

from fastapi import FastAPI

from inbox.errors import ConfigurationError
from inbox.settings import Settings


def install_traces(app: FastAPI, settings: Settings) -> None:
    """Send a span for every request where the OTEL_* variables say, if the settings want that.

    Raises:
        ConfigurationError: the packages for it are not installed.
    """
    if not settings.traces:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(
            "INBOX_TRACES needs more packages: pip install 'document-inbox[telemetry]'"
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "document-inbox"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    app.state.traces = provider
    # A span has the path of its request, and that of a download link opens a file.
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, excluded_urls="/download/")


def end_traces(app: FastAPI) -> None:
    """Send what has not been sent yet, and stop."""
    if hasattr(app.state, "traces"):
        app.state.traces.shutdown()
