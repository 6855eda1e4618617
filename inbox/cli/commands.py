"""Which module has which command, so that a command loads no more than it needs."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

# A new command is hooked in here.
MODULES = {
    "evaluate": "evaluate",
    "watch-folder": "folder",
    "submit": "jobs",
    "watch": "jobs",
    "cancel": "jobs",
    "retry": "jobs",
    "delete": "jobs",
    "sweep": "jobs",
    "jobs": "jobs",
    "keys": "keys",
    "purge": "keys",
    "labels": "labels",
    "correct": "labels",
    "api": "server",
    "migrate": "server",
    "doctor": "server",
    "settings": "server",
    "version": "server",
    "read": "single",
    "classify": "single",
    "up": "stack",
    "demo": "stack",
    "worker": "stack",
    "export": "tables",
    "completion": "tables",
}


def load(arguments: Sequence[str] = ()) -> None:
    """Import the module of the command that a command line begins with; all, where it is none."""
    command = arguments[0] if arguments else None
    wanted = [MODULES[command]] if command in MODULES else sorted(set(MODULES.values()))
    for name in wanted:
        importlib.import_module(f"inbox.cli.{name}")
