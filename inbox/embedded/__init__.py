"""The Postgres that comes from a wheel, kept running by its owner and stopped with it.

Linux is the home ground. macOS works, but a server whose owner is killed with SIGKILL goes on
until the next start on the same folder, which stops it first. Windows is not supported: set
DATABASE_URL there.
"""

from __future__ import annotations

from inbox.embedded.server import EmbeddedPostgres, running_url

__all__ = ["EmbeddedPostgres", "running_url"]
