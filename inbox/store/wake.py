"""What dispatch sleeps on between two looks.

A wake-up is a hint and nothing more: one that never comes costs the time until the next look.
"""

from __future__ import annotations

import time
from typing import Protocol


class Wake(Protocol):
    """Something that ends a sleep early."""

    def wait(self, seconds: float) -> bool:
        """Sleep at most so long, whatever goes wrong; whether there may be something to do."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class Nothing:
    """Nobody wakes the sleeper."""

    def wait(self, seconds: float) -> bool:
        """Sleep so long."""
        time.sleep(seconds)
        return False

    def close(self) -> None:
        """Nothing to stop."""
