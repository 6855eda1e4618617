"""`inbox keys` and `inbox purge`, as a person uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from inbox.model import Blob, Order, Upload
from inbox.service import Inbox
from inbox.settings import Settings

pytestmark = pytest.mark.followed


def inbox_command(settings: Settings, *arguments: str, **extra: str) -> str:
    """What a command prints."""
    assert settings.database_url is not None
    environment = os.environ | {
        "INBOX_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        **extra,
    }
    done = subprocess.run(
        [sys.executable, "-m", "inbox.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_a_key_is_made_listed_and_revoked(settings: Settings, inbox: Inbox) -> None:
    """It is printed once, and nothing that is kept or listed holds it."""
    text = inbox_command(settings, "keys", "create", "scanner", "--scope", "submit").strip()
    assert text.startswith("inbox_")
    found = inbox.check_key(text).key
    assert found is not None
    assert (found.name, found.client_id, found.scopes) == ("scanner", "scanner", ("submit",))
    listed = inbox_command(settings, "keys", "list")
    assert str(found.id) in listed
    assert text not in listed
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        rows = connection.execute("select inbox_api_keys::text from inbox_api_keys").fetchall()
    assert text.removeprefix("inbox_")[12:] not in str(rows)
    inbox_command(settings, "keys", "revoke", str(found.id))
    assert inbox.check_key(text).key is None
    assert inbox.check_key(None).configured
    shown = json.loads(inbox_command(settings, "keys", "list", "--json"))
    assert shown[0]["revoked_at"] is not None


def test_what_has_expired_is_forgotten(settings: Settings, inbox: Inbox) -> None:
    """Rows and bytes of jobs that were over for longer than the setting says, and no others."""
    kept = settings.model_copy(update={"retention_days": 7.0})
    old, young, running = (uuid4() for _ in range(3))
    for job_id in (old, young, running):
        with inbox.blobs.create(f"{job_id}/1") as writer:
            writer.write(b"x")
            blob = writer.commit()
        inbox.store.submit(job_id, Order(uploads=(Upload(name="a", blob=blob),)))
    for job_id in (old, young):
        inbox.cancel(job_id)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        connection.execute(
            "update inbox_jobs set finished_at = finished_at - interval '8 days' where id = %s",
            (old,),
        )
    with Inbox(kept) as opened:
        stated = opened.watch(young).job
    assert stated is not None
    assert stated.finished_at is not None
    assert stated.expires_at == stated.finished_at + timedelta(days=7)
    assert "0 jobs" in inbox_command(settings, "purge")
    assert "1 job forgotten" in inbox_command(settings, "purge", INBOX_RETENTION_DAYS="7")
    assert {job.job_id for job in inbox.list()} == {young, running}
    blobs = {path.parent.name for path in settings.blobs_folder.rglob("*") if path.is_file()}
    assert blobs == {str(young), str(running)}


def test_an_idempotency_key_does_not_outlive_its_use(inbox: Inbox, settings: Settings) -> None:
    """Used keys are forgotten after a month, those of jobs that still run are not."""
    job_id = uuid4()
    inbox.reserve("key", job_id)
    uploads = (Upload(name="a", blob=Blob(key=f"{job_id}/1")),)
    inbox.accept(job_id, uploads, reservation=("key", "0" * 64))
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        connection.execute("update inbox_submissions set created_at = now() - interval '31 days'")
        inbox.purge()
        assert connection.execute("select count(*) from inbox_submissions").fetchone() == (1,)
        inbox.cancel(job_id)
        inbox.purge()
        assert connection.execute("select count(*) from inbox_submissions").fetchone() == (0,)


@pytest.mark.parametrize("arguments", [["keys"], ["keys", "create"], ["keys", "revoke", "x"]])
def test_wrong_use_is_told(settings: Settings, arguments: list[str]) -> None:
    """Exit code 2 and a sentence."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        inbox_command(settings, *arguments)
    assert caught.value.returncode == 2
