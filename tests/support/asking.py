"""Asking a scripted model about a few lines."""

from __future__ import annotations

from openai_server import ScriptedServer

from inbox.classify import open_classifier
from inbox.model import (
    Classification,
    Document,
    Label,
    Page,
    PageSource,
)
from inbox.settings import Settings

INVOICE = (
    "INVOICE\nInvoice number: 771\nBill to: Acme\nTotal due: 12.00\nPayment terms: net 30 days\n"
)


def document(*texts: str) -> Document:
    """A document of these pages."""
    pages = (
        Page(number=number, text=text, source=PageSource.TEXT_LAYER)
        for number, text in enumerate(texts, 1)
    )
    return Document(media_type="application/pdf", pages=tuple(pages))


def settings(server: ScriptedServer, **more: object) -> Settings:
    """Settings that lead to the server; patient enough for a busy machine."""
    given: dict[str, object] = {
        "openai_api_key": None,
        "model": "gpt-5-mini",
        "model_timeout_seconds": 15,
        "model_max_retries": 2,
    }
    return Settings(_env_file=None, classifier="llm", openai_base_url=server.url, **(given | more))


def classify(
    server: ScriptedServer,
    *texts: str,
    labels: tuple[Label, ...] | None = None,
    **more: object,
) -> Classification:
    """What the model's classifier says of a document."""
    return open_classifier(settings(server, **more)).classify(document(*texts), labels)
