"""The API as a process of its own, started from the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

from inbox.settings import Settings

pytestmark = pytest.mark.followed

MEBIBYTE = 1024 * 1024
COMMAND = [sys.executable, "-c", "from inbox.cli import main; main()", "api"]
DEADLINE = 30


def environment(settings: Settings, **extra: str) -> dict[str, str]:
    """The settings as a process reads them."""
    assert settings.database_url is not None
    return os.environ | {
        "INBOX_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "INBOX_PORT": "0",
        **extra,
    }


@contextmanager
def api(settings: Settings, **extra: str) -> Iterator[tuple[int, str]]:
    """A running API: its process id and its address."""
    with subprocess.Popen(
        COMMAND,
        env=environment(settings, **extra),
        cwd=settings.data_dir.parent,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            yield process.pid, address_in(process.stderr)
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) in {0, -signal.SIGTERM}
        finally:
            process.kill()


def address_in(log: IO[str]) -> str:
    """The address that the server says it listens on."""
    for line in log:
        if found := re.search(r"running on (http://\S+)", line):
            return found[1]
    raise AssertionError("the server did not start")


def test_memory_stays_flat_while_a_large_file_streams(settings: Settings, tmp_path: Path) -> None:
    """200 MB go through in pieces: the process grows by a few of them, not by the file."""
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(200 * MEBIBYTE)
    limit = str(300 * MEBIBYTE)
    limits = {"INBOX_MAX_FILE_BYTES": limit, "INBOX_MAX_JOB_BYTES": limit}
    with (
        api(settings, **limits) as (pid, address),
        httpx.Client(base_url=address, timeout=120) as client,
    ):
        client.post("/classify-documents-async", files={"files": ("a.txt", b"x")})
        before = psutil.Process(pid).memory_info().rss
        with large.open("rb") as file:
            answer = client.post("/classify-documents-async", files={"files": file})
        after = peak_memory(pid)
    assert answer.status_code == 202
    stored = [path.stat().st_size for path in settings.blobs_folder.rglob("*") if path.is_file()]
    assert sorted(stored) == [1, 200 * MEBIBYTE]
    assert after - before < 24 * MEBIBYTE, (before, after)


def peak_memory(pid: int) -> int:
    """The most memory that a process ever held, in bytes."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("the peak is read from /proc")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_strangers_are_not_listened_to(settings: Settings) -> None:
    """On an address that others reach the API does not start, unless that is said to be meant."""
    open_address = {"INBOX_HOST": "0.0.0.0"}
    done = subprocess.run(
        COMMAND,
        env=environment(settings, **open_address),
        cwd=settings.data_dir.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 3
    assert "INBOX_ALLOW_OPEN" in done.stderr
    with api(settings, INBOX_ALLOW_OPEN="true", **open_address) as (_, address):
        port = address.rpartition(":")[2]
        answer = httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"host": "inbox.example"})
    assert answer.status_code == 200
