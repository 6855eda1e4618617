"""The built wheel holds everything that the program needs at run time."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_the_wheel_is_whole(tmp_path: Path) -> None:
    """Every migration, every cue file, the page and prefect.yaml travel with the modules."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"deployments/prefect.yaml", "inbox/py.typed"}
    for source, target in (
        ("supabase/migrations/*.sql", "inbox/store/migrations"),
        ("inbox/classify/cues/*.txt", "inbox/classify/cues"),
        ("inbox/web/*.*", "inbox/web"),
    ):
        files = list(CHECKOUT.glob(source))
        assert files
        wanted |= {f"{target}/{file.name}" for file in files}
    for package in ("inbox", "tasks", "flows", "deployments"):
        for file in (CHECKOUT / package).rglob("*.py"):
            wanted.add(str(file.relative_to(CHECKOUT)))
    assert wanted <= names, sorted(wanted - names)
