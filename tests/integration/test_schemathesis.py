"""Every operation of the description, with generated requests: the API keeps what it says.

INBOX_SCHEMATHESIS_EXAMPLES says how many requests an operation gets; `make fuzz` takes 200.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from api_server import port_of, running

from inbox.interface import Scope
from inbox.service import Inbox
from inbox.settings import Settings

EXAMPLES = os.environ.get("INBOX_SCHEMATHESIS_EXAMPLES", "5")
CONFIG = Path(__file__).parent.parent / "support" / "schemathesis.toml"
SECONDS = 280 if EXAMPLES == "5" else 3600


def test_the_api_keeps_what_it_says(settings: Settings, inbox: Inbox, tmp_path: Path) -> None:
    """No server error, no undescribed answer, no ignored credentials, no accepted nonsense."""
    _, key = inbox.create_key("fuzz", "fuzz", list(Scope), per_minute=1_000_000)
    closed = settings.model_copy(update={"auth": "required"})
    with running(closed) as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
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
