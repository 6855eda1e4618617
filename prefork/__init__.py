"""A Prefect work-pool type that starts flow runs by forking a warm process.

Knows Prefect and nothing else. `prefork.worker` is the entry point.
"""

from __future__ import annotations
