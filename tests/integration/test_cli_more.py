"""Export, completion, standard input and the watched folder, with a real database."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from uuid import UUID, uuid4

import pandas as pd
import pytest

from inbox.cli import main
from inbox.cli.folder import Watcher
from inbox.cli.jobs import send
from inbox.service import Inbox
from inbox.settings import Settings

pytestmark = pytest.mark.followed

INVOICE = "INVOICE\nInvoice number 12\nBill to: Ada\nTotal amount due: 12.00\n"
LETTER = "Dear Ms Miller,\n\nthank you for your letter of 3 May.\n\nYours sincerely,\nJ. Doe\n"
ODD = "grey seven window under\n"
SECONDS = 60


class Ran(NamedTuple):
    """How a command went."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Run:
    """Runs `inbox` with arguments, on this test's database and folders."""
    for name in os.environ:
        if name.startswith(("INBOX_", "OPENAI_", "DATABASE_", "PREFECT_", "PG_", "SUPABASE_")):
            monkeypatch.delenv(name)
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("INBOX_DATA_DIR", str(settings.data_dir))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Ran:
        with pytest.raises(SystemExit) as exit_info:
            main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        code = int(exit_info.value.code or 0)
        return Ran(code, captured.out.decode("utf-8", "replace"), captured.err.decode())

    return run


def done(inbox: Inbox, folder: Path, **texts: str) -> UUID:
    """A job of these texts that is over."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, text in texts.items():
        paths.append(folder / f"{name}.txt")
        paths[-1].write_text(text)
    job = send(inbox, paths)
    inbox.work()
    return job.job_id


def test_results_are_exported(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    """As CSV to standard output, or in the form that the file's ending says; jobs together."""
    first = done(inbox, tmp_path / "in", a=INVOICE, b=LETTER)
    second = done(inbox, tmp_path / "in", c=LETTER)
    table = pd.read_csv(io.StringIO(run("export", first).out))
    assert list(table["label"]) == ["invoice", "letter"]
    assert run("export", first, second, "-o", "out.xlsx").code == 0
    assert len(pd.read_excel(tmp_path / "out.xlsx")) == 3
    lines = run("export", second, "--format", "jsonl").out.splitlines()
    assert json.loads(lines[0])["filename"] == "c.txt"
    assert run("export", "--format", "jsonl").out.splitlines() == lines  # the newest job


def test_what_cannot_be_exported_is_said(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    """An unknown job, an ending that says nothing, a folder that is not there."""
    assert run("export", uuid4()).code == 2
    job_id = done(inbox, tmp_path / "in", a=INVOICE)
    answer = run("export", job_id, "-o", "out.doc")
    assert (answer.code, "csv, xlsx, parquet, jsonl" in answer.err) == (2, True)
    assert run("export", job_id, "-o", "no/where.csv").code == 2
    assert list(tmp_path.glob("*.part")) == []


def test_what_a_person_said_is_shown(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    """A corrected label stands in the table instead of the program's, and is not doubtful."""
    job_id = done(inbox, tmp_path / "in", a=ODD)
    assert "review" in run("watch", job_id).out
    said = run("correct", job_id, "1", "memo").out
    assert "memo" in said
    assert "checked" in said
    assert "review:" not in said


def test_what_to_do_about_failed_files_is_said(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    """Once for each kind of failure, below the table."""
    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_bytes(b"%PDF-1.7\nnothing of the kind")
    job = send(inbox, [tmp_path / "a.pdf", tmp_path / "b.pdf"])
    inbox.work()
    answer = run("watch", job.job_id)
    assert answer.code == 1
    assert answer.out.count("corrupt_file: Open it in the program that made it") == 1


def test_a_document_on_standard_input_is_submitted(
    run: Run, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called what --name says, and nothing of it is left outside the blob store."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(INVOICE.encode())))
    answer = run("submit", "-", "--name", "from-scanner.txt", "--json")
    job_id = UUID(json.loads(answer.out)["job_id"])
    inbox.work()
    result = inbox.get(job_id).result
    assert result is not None
    assert (result.results[0].filename, result.results[0].label) == ("from-scanner.txt", "invoice")


def test_a_pattern_names_files(run: Run, tmp_path: Path) -> None:
    """Where the shell did not look at it; a pattern that fits nothing is refused."""
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("a/1.txt", "a/b/2.txt", "a/b/3.csv"):
        (tmp_path / name).write_text(LETTER)
    assert json.loads(run("submit", "a/**/*.txt", "--json").out)["total_files"] == 2
    assert run("submit", "a/*.pdf").code == 2


def test_the_newest_job_is_watched_where_none_is_named(
    run: Run, inbox: Inbox, tmp_path: Path
) -> None:
    """Watching can be taken up again without looking for the id."""
    assert run("watch").code == 2
    job_id = done(inbox, tmp_path / "in", a=INVOICE)
    assert json.loads(run("watch", "--json").out)["job_id"] == str(job_id)


@pytest.mark.parametrize("command", ["version", "sweep", "settings", "migrate"])
def test_every_command_speaks_json(run: Run, command: str) -> None:
    """With --json, standard output is one JSON value and nothing else."""
    answer = run(command, "--json")
    assert answer.code == 0
    json.loads(answer.out)


def test_labels_and_keys_speak_json(run: Run) -> None:
    """Making, listing and ending them."""
    assert json.loads(run("labels", "put", "mine", "a,b", "--json").out)["labels"] == 2
    assert json.loads(run("labels", "list", "--json").out)[0]["name"] == "mine"
    assert json.loads(run("labels", "delete", "mine", "--json").out)["deleted"] is True
    key = json.loads(run("keys", "create", "one", "--json").out)
    ended = json.loads(run("keys", "revoke", key["id"], "--json").out)
    assert (ended["id"], ended["revoked_at"] is None) == (key["id"], False)


def test_a_shell_completes_commands(run: Run) -> None:
    """The script is bash's own language, and what it calls answers with commands."""
    script = run("completion", "bash").out
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    answer = subprocess.run(
        [sys.executable, "-m", "inbox.cli"],
        env=os.environ
        | {"_INBOX_COMPLETE": "complete_bash", "COMP_WORDS": "inbox wat", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.split() == ["watch", "watch-folder"]


# -- the watched folder ---------------------------------------------------------------


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
    thread.join()


def test_what_arrives_is_filed(run: Run, worker: None, inbox: Inbox, tmp_path: Path) -> None:
    """By label, for review, or as failed; beside each file its result; a name is never lost."""
    folder = tmp_path / "scans"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text(INVOICE)
    (folder / "sub/a.txt").write_text(INVOICE + "again\n")
    (folder / "odd.txt").write_text(ODD)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    (folder / "half.pdf.part").write_bytes(b"%PDF-1.7\n")
    (folder / ".hidden.txt").write_text(LETTER)
    answer = run("watch-folder", folder, "--once", "--settle", "0", "--json")
    assert answer.code == 0, answer.err
    told = [json.loads(line) for line in answer.out.splitlines()]
    assert len(told) == 4
    filed = {str(path.relative_to(folder / "filed")) for path in folder.glob("filed/*/*")}
    documents = {"invoice/a.txt", "invoice/a (2).txt", "to review/odd.txt", "failed/broken.pdf"}
    assert filed == documents | {f"{name}.json" for name in documents}
    said = json.loads((folder / "filed/invoice/a.txt.json").read_text())
    assert said["files"][0]["label"] == "invoice"
    assert (folder / "half.pdf.part").exists()
    assert (folder / ".hidden.txt").exists()
    assert len(inbox.list()) == 4


def test_a_file_that_still_grows_is_left(inbox: Inbox, tmp_path: Path) -> None:
    """Nothing is submitted before it has stayed unchanged for a while."""
    file = tmp_path / "a.txt"
    file.write_text("INVO")
    watcher = Watcher(inbox, tmp_path, uuid4(), None, settle=3600, as_json=True)
    watcher.look()
    file.write_text(INVOICE)
    watcher.look()
    assert inbox.list() == ()
    assert not watcher.idle


def test_after_a_crash_nothing_is_submitted_twice(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another watcher of the same folder takes up the same jobs, before and after they are over."""
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "a.txt").write_text(INVOICE)
    own_id = uuid4()

    def again() -> Watcher:
        return Watcher(inbox, scans, own_id, None, settle=0, as_json=True)

    again().look()
    again().look()
    assert len(inbox.list()) == 1
    inbox.work()
    last = again()
    last.look()
    assert len(inbox.list()) == 1
    assert last.idle
    assert (scans / "filed/invoice/a.txt").read_text() == INVOICE
    assert json.loads(capsys.readouterr().out)["filed"] == "filed/invoice/a.txt"


def test_a_file_that_may_not_be_sent_is_filed_as_failed(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is too large is not tried for ever."""
    (tmp_path / "a.txt").write_text(INVOICE)
    with Inbox(settings.model_copy(update={"max_file_bytes": 10})) as inbox:
        Watcher(inbox, tmp_path, uuid4(), None, settle=0, as_json=True).look()
    said = json.loads((tmp_path / "filed/failed/a.txt.json").read_text())
    assert said["error"]["code"] == "file_too_large"


def test_a_folder_that_holds_the_blobs_is_refused(run: Run, tmp_path: Path) -> None:
    """Or it would submit what it has submitted."""
    answer = run("watch-folder", tmp_path, "--once")
    assert (answer.code, "INBOX_DATA_DIR" in answer.err) == (2, True)


def test_one_watcher_at_a_time_and_an_orderly_end(run: Run, tmp_path: Path) -> None:
    """A second is refused; SIGTERM ends the first with exit code 0."""
    folder = tmp_path / "scans"
    folder.mkdir()
    first = subprocess.Popen(
        [sys.executable, "-m", "inbox.cli", "watch-folder", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert first.stderr is not None
        assert "watching" in first.stderr.readline()
        answer = run("watch-folder", folder, "--once")
        assert (answer.code, "another" in answer.err) == (2, True)
        first.send_signal(signal.SIGTERM)
        assert first.wait(SECONDS) == 0
    finally:
        first.kill()
        first.wait()
        first.stderr.close()
