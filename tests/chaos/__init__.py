"""Faults on real processes, and what must be true after each: `python -m chaos --help`."""
