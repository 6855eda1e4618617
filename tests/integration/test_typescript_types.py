"""The types that frontends import are those of the database."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
from typescript_types import types

TYPES = Path(__file__).parents[2] / "supabase" / "types.ts"


def test_the_types_are_up_to_date(project_url: str) -> None:
    """After a migration, run this test with INBOX_WRITE_TYPES=1 once."""
    with psycopg.connect(project_url) as connection:
        written = types(connection)
    if os.environ.get("INBOX_WRITE_TYPES"):
        TYPES.write_text(written, encoding="utf-8")
    assert TYPES.read_text(encoding="utf-8") == written
    assert "storage_key" not in written
    assert "inbox_submit_job" in written
