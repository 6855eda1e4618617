"""A server that stands for a model's, and inboxes that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from openai_server import ScriptedServer

from inbox.service import Inbox
from inbox.settings import Settings


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server of this test's own."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def opened(settings: Settings, server: ScriptedServer) -> Iterator[Callable[..., Inbox]]:
    """Opens inboxes that ask the model, with settings of one's own."""
    with ExitStack() as stack:

        def build(**more: object) -> Inbox:
            changed = {
                "classifier": "llm",
                "openai_base_url": server.url,
                "model_max_retries": 0,
                "model_timeout_seconds": 15.0,
                **more,
            }
            return stack.enter_context(Inbox(settings.model_copy(update=changed)))

        yield build
