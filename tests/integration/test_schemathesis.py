"""Every operation of the description, with generated requests: the API keeps what it says.

INBOX_SCHEMATHESIS_EXAMPLES says how many requests an operation gets; `make fuzz` takes 200.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from api_server import client_of, port_of, running
from pydantic import SecretStr

from inbox.interface import Scope
from inbox.samples import business
from inbox.samples.sheet import pdf
from inbox.service import Inbox
from inbox.settings import Settings

EXAMPLES = os.environ.get("INBOX_SCHEMATHESIS_EXAMPLES", "5")
CONFIG = Path(__file__).parent.parent / "support" / "schemathesis.toml"
SECONDS = 280 if EXAMPLES == "5" else 3600
DISPOSABLE = 30  # jobs for the operation that forgets jobs


def test_the_api_keeps_what_it_says(settings: Settings, inbox: Inbox, tmp_path: Path) -> None:
    """No server error, no undescribed answer, no ignored credentials, no accepted nonsense."""
    _, key = inbox.create_key("fuzz", "fuzz", list(Scope), per_minute=1_000_000)
    closed = settings.model_copy(
        update={"auth": "required", "secret_key": SecretStr("s" * 40), "max_submissions": 50}
    )
    with running(closed) as server, client_of(server) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        config = tmp_path / "schemathesis.toml"
        config.write_text(CONFIG.read_text() + known(client, inbox))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
                *("run", f"http://127.0.0.1:{port_of(server)}/openapi.json"),
                *("--header", f"Authorization: Bearer {key}", "--no-color"),
                *("--max-examples", EXAMPLES, "--continue-on-failure"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
        assert client.get("/jobs").json()["jobs"]  # the key was good to the end


def known(client: httpx.Client, inbox: Inbox) -> str:
    """Ids of what is there, for the configuration: most requests are to be about that."""
    files = {"files": ("a.pdf", pdf([business.invoice()]))}
    kept = submit(client, files)
    inbox.work()
    (file,) = client.get(f"/job/{kept}").json()["result"]["results"]
    assert file["status"] == "completed"
    gone = [submit(client, {"files": ("a.txt", b"Dear Ada")}) for _ in range(DISPOSABLE)]
    for job_id in gone:
        client.post(f"/job/{job_id}/cancel").raise_for_status()
    values = {"kept": [kept], "gone": gone, "file": [file["file_id"]], "page": [1]}
    return "".join(
        f"\n[dictionaries.{name}]\nvalues = {json.dumps(found)}\n" for name, found in values.items()
    )


def submit(client: httpx.Client, files: dict[str, Any]) -> str:
    """The id of a new job."""
    answer = client.post("/classify-documents-async", files=files).raise_for_status()
    return str(answer.json()["job_id"])
