"""How the tests are spread over processes; a group that is torn apart shows in nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """import os, pathlib, pytest
@pytest.mark.parametrize("number", range(6))
def test(number):
    with (pathlib.Path(__file__).parents[{above}] / "seen").open("a") as seen:
        seen.write("{name} " + os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_a_file_stays_together_and_so_do_all_whole_stacks(tmp_path: Path) -> None:
    """Under the options that `make test` gives; both processes have something to do."""
    tests = tmp_path / "tests"
    for name in ("e2e/test_a.py", "e2e/more/test_b.py", "unit/test_c.py", "unit/test_d.py"):
        file = tests / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TESTS.format(name=name, above=name.count("/") + 1))
    shutil.copy(CONFTEST, tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    options = ["-p", "xdist", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        env={"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    processes: dict[str, set[str]] = {}
    for line in (tmp_path / "seen").read_text().splitlines():
        name, process = line.split()
        processes.setdefault("e2e" if name.startswith("e2e") else name, set()).add(process)
    assert {name: len(found) for name, found in processes.items()} == {
        "e2e": 1,
        "unit/test_c.py": 1,
        "unit/test_d.py": 1,
    }
    assert len(set.union(*processes.values())) == 2
