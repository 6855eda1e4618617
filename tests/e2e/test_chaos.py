"""The chaos suite itself, by one of its faults: `make chaos` tries them all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from environment import of_a_stack

TESTS = Path(__file__).parents[1]


def test_a_fault_is_tried_and_its_figures_are_printed() -> None:
    """Cancel and finish race on a database of their own; the last line is JSON."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS), str(TESTS / "support")])
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--faults", "cancel-and-finish"],
        env=of_a_stack() | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["broken"] == 0
    assert figures["faults"][0]["injected"] == 200
