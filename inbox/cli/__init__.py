"""The command line. A module of commands is hooked in by importing it here."""

from __future__ import annotations

from inbox.cli import folder, jobs, keys, server, single, stack, tables
from inbox.cli.base import app, main

__all__ = ["app", "folder", "jobs", "keys", "main", "server", "single", "stack", "tables"]
