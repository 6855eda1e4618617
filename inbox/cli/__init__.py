"""The command line. A module of commands is hooked in by importing it here."""

from __future__ import annotations

from inbox.cli import evaluate, folder, jobs, keys, labels, server, single, stack, tables
from inbox.cli.base import app, main

__all__ = [
    "app",
    "evaluate",
    "folder",
    "jobs",
    "keys",
    "labels",
    "main",
    "server",
    "single",
    "stack",
    "tables",
]
