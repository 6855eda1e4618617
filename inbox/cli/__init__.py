"""The command line. A module of commands is hooked in by importing it here."""

from __future__ import annotations

from inbox.cli import evaluate, jobs, keys, labels, server, single, stack
from inbox.cli.base import app, main

__all__ = ["app", "evaluate", "jobs", "keys", "labels", "main", "server", "single", "stack"]
