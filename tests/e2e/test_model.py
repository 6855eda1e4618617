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
    assert all(one["classifier"] != "lexicon-1" for one in job["result"]["results"])
    assert "test-key" not in house.logs()
