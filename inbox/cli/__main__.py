"""`python -m inbox.cli`."""

from __future__ import annotations

from inbox.cli import main

main()
