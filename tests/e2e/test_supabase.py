"""A whole house whose rows and bytes are in a Supabase project, and a user of that project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from house import House, wait_until
from local_project import PREPARE, SECRET_KEY, LocalProject, local_project

from inbox.embedded import EmbeddedPostgres
from inbox.store import migrate

LETTER = b"Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[LocalProject]:
    """A project of this test's own."""
    with EmbeddedPostgres(tmp_path / "project") as postgres:
        postgres.ensure_database("project")
        url = postgres.url("project")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(PREPARE)
        migrate(url)
        with local_project(url) as running:
            yield running


def test_a_users_own_rows_are_processed(project: LocalProject, build: Callable[..., House]) -> None:
    """Uploaded and submitted by a signed-in user, without our API; the user sees it grow."""
    build(SUPABASE_URL=project.url, SUPABASE_SECRET_KEY=SECRET_KEY)
    user, job_id = uuid4(), uuid4()
    with project.http(user) as browser:
        files = []
        for number in range(1, 5):
            key = f"{user}/{job_id}/{number}"
            part = {"file": ("letter.txt", LETTER, "text/plain")}
            sent = browser.post(f"/storage/v1/object/inbox/{key}", files=part)
            assert sent.is_success, sent.text
            files.append({"name": f"{number}.txt", "storage_key": key})
        body = {"p_job_id": str(job_id), "p_files": files}
        answer = browser.post("/rest/v1/rpc/inbox_submit_job", json=body)
        assert answer.is_success, answer.text
        seen: list[tuple[str, int]] = []

        def over() -> bool:
            query = f"/rest/v1/inbox_jobs?id=eq.{job_id}&select=status,progress"
            row = browser.get(query).json()[0]
            if (row["status"], row["progress"]) not in seen:
                seen.append((row["status"], row["progress"]))
            return row["status"] == "completed"

        wait_until(over, 120, lambda: str(seen))
        assert seen[0] == ("pending", 0)
        assert seen[-1] == ("completed", 100)
        assert [progress for _, progress in seen] == sorted(progress for _, progress in seen)
        labels = browser.get(f"/rest/v1/inbox_files?job_id=eq.{job_id}&select=label").json()
        assert labels == [{"label": "letter"}] * 4
    with project.http(uuid4()) as stranger:
        assert stranger.get(f"/rest/v1/inbox_jobs?id=eq.{job_id}&select=status").json() == []
