"""Which module has which command, so that a command loads no more than it needs."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

# A new command is hooked in here; `inbox --help` lists them in this order.
MODULES = {
    "up": "stack",
    "demo": "stack",
    "submit": "jobs",
    "watch": "jobs",
    "jobs": "jobs",
    "export": "tables",
    "watch-folder": "folder",
    "cancel": "jobs",
    "retry": "jobs",
    "delete": "jobs",
    "correct": "labels",
    "labels": "labels",
    "read": "single",
    "classify": "single",
    "evaluate": "evaluate",
    "api": "server",
    "worker": "stack",
    "keys": "keys",
    "migrate": "server",
    "doctor": "server",
    "settings": "server",
    "sweep": "jobs",
    "purge": "keys",
    "completion": "tables",
    "version": "server",
}


def load(arguments: Sequence[str] = ()) -> None:
    """Import the module of the command that a command line begins with; all, where it is none."""
    command = arguments[0] if arguments else None
    wanted = [MODULES[command]] if command in MODULES else sorted(set(MODULES.values()))
    for name in wanted:
        importlib.import_module(f"inbox.cli.{name}")
