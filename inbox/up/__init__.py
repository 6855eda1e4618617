"""Everything on one machine: Postgres, Prefect's server, a worker and the API."""

from __future__ import annotations

from inbox.up.journal import Journal
from inbox.up.stack import Stack, log_environment, run_worker

__all__ = ["Journal", "Stack", "log_environment", "run_worker"]
