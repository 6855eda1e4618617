"""The log of workers, as the settings say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from environment import without_ours

from inbox.settings import Settings
from inbox.up import log_environment

PROGRAM = """
import prefect.main
from prefect.logging import get_logger
logger = get_logger("worker")
logger.warning("%s files of\\na job are\\t%s", 2, "x" * 300)
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("It failed.")
"""


def written(settings: Settings) -> list[str]:
    """What Prefect writes of two messages, one with an exception, under these settings."""
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=without_ours() | log_environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [line for line in answer.stderr.splitlines() if line]


def test_a_workers_log_is_lines_of_json() -> None:
    """One object a message, however long, with its exception inside."""
    first, second = map(json.loads, written(Settings(_env_file=None, log_format="json")))
    assert first["name"] == "prefect.worker"
    assert (first["levelname"], first["args"][0]) == ("WARNING", 2)
    assert second["exc_info"]["type"] == "ZeroDivisionError"


def test_a_workers_log_is_text_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is asked for otherwise."""
    monkeypatch.delenv("INBOX_LOG_FORMAT", raising=False)
    lines = written(Settings(_env_file=None))
    assert any("prefect.worker - 2 files of" in line for line in lines)
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[0])
