"""The command line with a real database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from processes import hear_sigint

from inbox.cli import main
from inbox.embedded import running_url
from inbox.model import JobStatus
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.store import pending_migrations

pytestmark = pytest.mark.followed

LETTER = "Dear Ms Miller,\n\nthank you for your letter of 3 May.\n\nYours sincerely,\nJ. Doe\n"
DEADLINE = 60


class Ran(NamedTuple):
    """How a command went."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No settings from outside, and a folder of this test's own."""
    for name in os.environ:
        if name.startswith(("INBOX_", "OPENAI_", "DATABASE_", "PREFECT_", "PG_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
def run(clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `inbox` with arguments; without settings but the embedded database's folder."""

    def run(*arguments: str | Path) -> Ran:
        with pytest.raises(SystemExit) as exit_info:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(int(exit_info.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def configured(clean_environment: pytest.MonkeyPatch, settings: Settings) -> None:
    """The commands use this test's database and folders."""
    assert settings.database_url is not None
    clean_environment.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    clean_environment.setenv("INBOX_DATA_DIR", str(settings.data_dir))


@pytest.fixture
def worker(inbox: Inbox) -> Iterator[None]:
    """Works on jobs as they come."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            if inbox.work() is None:
                over.wait(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join(DEADLINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A letter and a broken file."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "letter.txt").write_text(LETTER)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 this is none")
    return folder


@pytest.mark.usefixtures("configured", "worker")
def test_files_are_submitted_and_watched_to_the_end(run: Run, folder: Path) -> None:
    """A table of results; a failed file does not fail the job."""
    done = run("submit", folder, "--wait")
    assert done.code == 0
    assert "completed" in done.err
    assert "letter.txt" in done.out
    assert "corrupt_file" in done.out
    assert "1 of 2 files completed, 1 failed" in done.out


@pytest.mark.usefixtures("configured", "worker")
def test_a_finished_job_is_printed_as_json(run: Run, folder: Path) -> None:
    """--wait --json prints the job as it ended, and nothing else."""
    done = run("submit", folder / "letter.txt", "--wait", "--json")
    assert done.code == 0
    job = json.loads(done.out)
    assert job["status"] == "completed"
    assert job["result"]["results"][0]["label"] == "letter"


@pytest.mark.usefixtures("configured", "worker")
def test_a_job_that_failed_is_told_by_the_exit_code(run: Run, folder: Path) -> None:
    """Exit code 1 where no file could be done."""
    done = run("submit", folder / "broken.pdf", "--wait")
    assert done.code == 1
    assert "all_files_failed" in done.out


@pytest.mark.usefixtures("configured")
def test_a_job_is_queued_listed_and_cancelled(run: Run, folder: Path, inbox: Inbox) -> None:
    """Without --wait the command ends at once and says how to go on."""
    done = run("submit", folder, "--labels", "letter, receipt")
    (job,) = inbox.list()
    assert done.code == 0
    assert f"inbox watch {job.job_id}" in done.out
    assert str(job.job_id) in run("jobs").out
    assert json.loads(run("jobs", "--json", "--status", "pending").out)[0]["total_files"] == 2
    assert run("jobs", "--status", "failed").out == "no jobs\n"
    assert "cancelled" in run("cancel", job.job_id).out
    assert inbox.get(job.job_id).status is JobStatus.CANCELLED
    done = run("watch", job.job_id, "--json")
    assert done.code == 1
    assert json.loads(done.out)["status"] == "cancelled"


@pytest.mark.usefixtures("configured")
def test_names_and_bytes_arrive(run: Run, folder: Path, inbox: Inbox) -> None:
    """The rows show the last part of the name, the blobs hold the bytes."""
    job = json.loads(run("submit", folder, "--json").out)
    lease = inbox.claim(UUID(job["job_id"]))
    assert lease is not None
    assert [file.name for file in lease.files] == ["broken.pdf", "letter.txt"]
    with inbox.blobs.fetch(lease.files[1].blob) as path:
        assert path.read_text() == LETTER


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    "limit", [("INBOX_MAX_FILE_BYTES", "file_too_large"), ("INBOX_MAX_FILES", "too_many_files")]
)
def test_the_limits_hold_here_too(
    run: Run, folder: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, limit: tuple[str, str]
) -> None:
    """A job that is too large is refused before anything is stored."""
    name, code = limit
    monkeypatch.setenv(name, "1")
    done = run("submit", folder)
    assert done.code == 2
    assert done.err.startswith(f"inbox: {code}: ")
    assert inbox.list() == ()
    assert list(inbox.blobs.jobs(-60)) == []


@pytest.mark.usefixtures("configured")
def test_a_job_that_is_not_there(run: Run) -> None:
    """Exit code 2 and a sentence."""
    for command in ("watch", "cancel"):
        done = run(command, str(uuid4()))
        assert (done.code, done.err) == (2, "inbox: job_not_found: no job has this id\n")


def test_a_database_that_is_away(
    run: Run, folder: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    """Exit code 3, with a code and a sentence."""
    clean_environment.setenv("DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/none")
    done = run("submit", folder)
    assert done.code == 3
    assert done.err.startswith("inbox: store_unavailable: ")


def test_migrate_prints_what_it_applied(
    run: Run, clean_environment: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    """Each migration by name, then "up to date"; doctor agrees before and after."""
    clean_environment.setenv("DATABASE_URL", empty_database_url)
    assert "inbox migrate" in run("doctor").out
    names = pending_migrations(empty_database_url)
    assert run("migrate").out.splitlines() == names
    assert run("migrate").out == "up to date\n"
    assert "ok   database" in run("doctor").out


def test_migrate_starts_the_embedded_database_for_itself(run: Run, tmp_path: Path) -> None:
    """Where no database is named or running, the embedded one is made, migrated and stopped."""
    assert "inbox_tables" in run("migrate").out
    assert running_url(tmp_path / ".inbox", "inbox") is None
    assert run("migrate").out == "up to date\n"


@pytest.mark.usefixtures("configured")
def test_interrupting_the_watcher_leaves_the_job(folder: Path, inbox: Inbox) -> None:
    """Ctrl-C ends the watching, says so, and the job goes on."""
    command = [sys.executable, "-c", "from inbox.cli import main; main()"]
    with subprocess.Popen(
        [*command, "submit", str(folder), "--wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_sigint,  # noqa: PLW1509 - one thread here
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any(line.startswith("pending") for line in lines)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(DEADLINE) == 130
    (job,) = inbox.list()
    assert job.status is JobStatus.PENDING
    assert f"inbox watch {job.job_id}" in rest
