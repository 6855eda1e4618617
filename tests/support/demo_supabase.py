"""The demonstration through a Supabase project instead of a Postgres connection.

    python tests/support/demo_supabase.py

The project is the one of the tests: a real Postgres and PostgREST, a gateway, a Storage stub.
Everything of ours reaches it over HTTP, with its URL and secret key and nothing else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import psycopg
from local_project import PREPARE, SECRET_KEY, local_project

from inbox.cli.demo import run_demo
from inbox.embedded import EmbeddedPostgres
from inbox.store import migrate


def main() -> int:
    """Run it; 0 where every sample ended as expected."""
    with tempfile.TemporaryDirectory(prefix="inbox-demo-") as folder:
        home = Path(folder)
        with EmbeddedPostgres(home / "project") as postgres:
            postgres.ensure_database("project")
            url = postgres.url("project")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(PREPARE)
            migrate(url)
            with local_project(url) as project:
                settings = project.settings(data_dir=home / "house")
                environment = {
                    "INBOX_SUPABASE_URL": project.url,
                    "INBOX_SUPABASE_SECRET_KEY": SECRET_KEY,
                }
                return 0 if run_demo(settings, print, environment) else 1


if __name__ == "__main__":
    sys.exit(main())
