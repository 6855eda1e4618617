"""What programs that tests start are told by the environment."""

from __future__ import annotations

import os

OURS = ("INBOX_", "PREFECT_", "OPENAI_", "SUPABASE_", "CHAOS_", "DATABASE_URL")
# A whole stack runs at its own speed: what coverage counts is counted nearer to the code.
TRACING = ("COVERAGE_",)


def without_ours() -> dict[str, str]:
    """This process's variables, but for those that say how this project and Prefect work."""
    return _without(OURS)


def of_a_stack() -> dict[str, str]:
    """The same for a stack of several programs, in which coverage does not follow them either."""
    return _without(OURS + TRACING)


def _without(prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
