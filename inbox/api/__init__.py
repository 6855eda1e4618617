"""The HTTP API."""

from __future__ import annotations

from inbox.api.app import check_address, create_app, serve, server_of

__all__ = ["check_address", "create_app", "serve", "server_of"]
