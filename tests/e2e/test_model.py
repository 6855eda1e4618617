"""A language model instead of the lexicon: real HTTP, in the worker of a whole house."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from house import House
from openai_server import ScriptedServer


def test_a_model_that_fails_on_one_file_fails_that_file_only(
    build: Callable[..., House], tmp_path: Path
) -> None:
    """The others are labelled by the model; the failed one says that the model was away."""
    texts = {
        "one.txt": "LABEL-contract\nThis agreement is made between the parties hereto.\n",
        "two.txt": "FAIL-500\nDear Sir, this letter always meets a broken server.\n",
        "three.txt": "LABEL-invoice\nInvoice number 12, total amount due 12.00\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    with ScriptedServer() as server:
        house = build(
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY="test-key",
            INBOX_MODEL_MAX_RETRIES="1",
            INBOX_MODEL_TIMEOUT_SECONDS="10",
        )
        job = house.finished(house.submit([tmp_path / name for name in texts]))
    assert job["status"] == "completed"
    outcomes = [(one["label"], one["error_code"]) for one in job["result"]["results"]]
    assert outcomes == [("contract", None), (None, "model_unavailable"), ("invoice", None)]
    assert not any("lexicon" in (one["classifier"] or "") for one in job["result"]["results"])
    assert "test-key" not in house.logs()


def test_a_job_waits_for_a_model_that_is_away(build: Callable[..., House], tmp_path: Path) -> None:
    """Its run ends, no attempt is charged, and a later run finishes what is left."""
    path = tmp_path / "one.txt"
    path.write_text("LABEL-letter\nDear Ms Lovelace, thank you. Yours sincerely, C. B.\n")
    with ScriptedServer() as server:
        server.plan("529")
        house = build(
            OPENAI_BASE_URL=server.url,
            INBOX_MODEL_MAX_RETRIES="0",
            INBOX_MODEL_AWAY_SECONDS="1",
            INBOX_MAX_ATTEMPTS="1",
        )
        job = house.finished(house.submit([path]))
        assert len(server.requests) == 2
    assert job["status"] == "completed"
    assert job["attempt"] == 2
    assert job["result"]["results"][0]["label"] == "letter"
    assert job["result"]["cost"]["calls"] == 1
