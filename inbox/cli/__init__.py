"""The command line; `inbox.cli.commands` names its modules."""

from __future__ import annotations

from inbox.cli.base import app, main
from inbox.cli.commands import load

__all__ = ["app", "load", "main"]
