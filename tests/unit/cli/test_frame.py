"""What every command shares."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from inbox import errors
from inbox.cli.base import Exit, exit_code, printable
from inbox.cli.commands import MODULES

HEAVY = {
    "pandas", "unstructured", "langchain", "langchain_openai", "openai", "prefect", "fastapi",
    "uvicorn", "httpx", "PIL", "pypdfium2", "pikepdf", "tesserocr", "spacy", "numpy", "supabase",
}  # fmt: skip
Run = Callable[..., Any]


def test_help_loads_no_large_library() -> None:
    """`inbox --help` answers at once because nothing heavy is imported for it."""
    code = (
        "import sys\nfrom inbox.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print(*sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "submit" in done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_every_command_is_found_by_its_name() -> None:
    """The table says of each command which module registers it, and names no other."""
    code = (
        "import sys, typer\nfrom inbox.cli import app, load\nload(sys.argv[1:])\n"
        "print(*typer.main.get_command(app).commands)"
    )

    def loaded(*arguments: str) -> set[str]:
        command = [sys.executable, "-c", code, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return set(run.stdout.split())

    assert loaded() == set(MODULES)
    for module in set(MODULES.values()):
        of_module = {name for name, each in MODULES.items() if each == module}
        assert of_module <= loaded(min(of_module))


def test_reading_one_file_needs_no_database_driver(tmp_path: Path) -> None:
    """`inbox read` loads neither a driver nor a classifier."""
    (tmp_path / "a.txt").write_text("Dear Ada")
    code = (
        "import sys\nfrom inbox.cli import main\n"
        "try: main(['read', sys.argv[1]])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Dear Ada" in done.stdout
    assert not {"psycopg", "inbox.classify", "inbox.worker"} & set(done.stderr.split())


def test_help_tells_the_exit_codes(run: Run) -> None:
    """Scripts can rely on them."""
    assert "Exit codes: 0 done" in run("--help").out


def test_help_lists_every_command_in_order_with_a_whole_sentence(run: Run) -> None:
    """What people begin with comes first, and no sentence is cut off at eighty columns."""
    listed = run("--help").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(MODULES)
    for line in listed:
        assert line.endswith("."), line
        assert not line.endswith("..."), line
        assert len(line) <= 80


def test_an_interruption_while_it_starts_is_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before the command has begun ends it with 130 and no traceback."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inbox.cli.base.load", interrupted)
    assert run("jobs") == (130, "", "")


def test_the_version_is_that_of_the_package(run: Run) -> None:
    """`inbox version` prints it and nothing else."""
    done = run("version")
    assert done.code == 0
    assert run("--version") == done
    assert done.out.count(".") >= 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NoFiles("x"), Exit.INPUT),
        (errors.EncryptedFile("x"), Exit.INPUT),
        (errors.StoreUnavailable("x"), Exit.SERVICE),
        (errors.MigrationsMissing("x"), Exit.SERVICE),
        (errors.LeaseLost("x"), Exit.FAILED),
    ],
)
def test_an_error_has_an_exit_code(error: errors.InboxError, code: Exit) -> None:
    """The caller's input, a service that is away, or anything else."""
    assert exit_code(error) is code


def test_without_a_database_a_command_says_what_to_do(run: Run) -> None:
    """Exit code 3, and the sentence names the commands that help."""
    for arguments in (["jobs"], ["watch", str(uuid4())], ["cancel", str(uuid4())], ["api"]):
        done = run(*arguments)
        assert done.code == 3
        assert done.err.startswith("inbox: configuration: no database")
        assert "inbox up" in done.err


def test_a_wrong_setting_is_named_without_its_value(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value may be a secret that went into the wrong variable."""
    monkeypatch.setenv("INBOX_PORT", "sesame")
    done = run("jobs")
    assert done.code == 3
    assert "port" in done.err
    assert "sesame" not in done.err


def test_a_malformed_id_is_wrong_usage(run: Run) -> None:
    """Exit code 2, before any database is asked."""
    assert run("watch", "seven").code == 2


def test_printable_text_keeps_letters() -> None:
    """Letters of any script stay, what steers a terminal goes."""
    assert printable("Größe 發票\x1b[2J\u202e", keep="\n") == "Größe 發票\ufffd[2J\ufffd"
    assert printable("a\nb", keep="\n") == "a\nb"
    assert printable("a\nb") == "a\ufffdb"


def test_doctor_says_what_is_wrong_and_what_helps(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One line a check; what fails comes with a remedy; exit code 1."""
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("INBOX_BLOBS_DIR", str(blocked / "blobs"))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    done = run("doctor", "--model", "--json")
    assert done.code == 1
    found = {check["name"]: check for check in json.loads(done.out)}
    assert {name for name, check in found.items() if check["ok"]} == {
        "python",
        "reading",
        "classifier",
    }
    for name in ("database", "blobs", "model server", "prefect"):
        assert found[name]["found"]
        assert found[name]["remedy"]


class _Answers(BaseHTTPRequestHandler):
    """Prefect's API, and a model's server that wants a key."""

    def do_GET(self) -> None:
        """Answer."""
        allowed = self.headers["Authorization"] == "Bearer right"
        self.send_response(200 if allowed or self.path == "/api/health" else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("key", "ok"), [("right", True), ("wrong", False)])
def test_doctor_asks_the_servers(
    run: Run, monkeypatch: pytest.MonkeyPatch, key: str, ok: bool
) -> None:
    """Prefect's API and the model's server are asked over HTTP; a wrong key is told apart."""
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", key)
        done = run("doctor", "--model")
        server.shutdown()
        thread.join()
    assert "ok   prefect: " in done.out
    assert ("ok   model server: " in done.out) is ok
    assert ("OPENAI_API_KEY" in done.out) is not ok
    assert key not in done.out


def test_doctor_notices_a_missing_language(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """OCR is really tried, with the languages of the settings."""
    monkeypatch.setenv("INBOX_OCR_LANGUAGES", "eng+qqq")
    done = run("doctor")
    assert done.code == 1
    assert "FAIL reading" in done.out
    assert "ok   blobs" in done.out
