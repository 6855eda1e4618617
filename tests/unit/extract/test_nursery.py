"""Zygotes that are forked from a nursery, for a process that is itself forked again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import children, left_after, send

from inbox import errors
from inbox.extract import Reader, keep_nursery
from inbox.extract.sandbox import Limits, Sandbox, nursery, starting
from inbox.settings import Settings

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="a nursery needs a system with pidfd"
)

LIMITS = Limits(memory_bytes=512 * 1024 * 1024, cpu_seconds=60)
TASKS = """
import os, sys, time

warmed = []

def warm(argument):
    if argument.get("fail"):
        raise OSError("no library")
    warmed.append(os.getpid())

def task(data, argument):
    if "mark" in argument:
        with open(argument["mark"], "w") as file:
            file.write("runs")
        time.sleep(1000)
    open_files = sorted(os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")
                        if os.path.exists(f"/proc/self/fd/{one}"))
    return {
        "data": data.decode(),
        "environment": dict(os.environ),
        "zygote": os.getppid(),
        "warmed": warmed,
        "sockets": [one for one in open_files if one.startswith("socket:")],
    }
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the module of tasks, on the path of zygotes but not on the nursery's."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "inbox_tasks.py").write_text(TASKS)
    monkeypatch.setenv("INBOX_SECRET", "top secret")
    return folder


@pytest.fixture
def kept(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[psutil.Process]:
    """A nursery for this process; it ends when this process lets go of it."""
    monkeypatch.setattr(nursery, "_nursery", None)
    nursery.keep(starting.environment() | {"GIVEN": "yes"})
    opened: Any = nursery._nursery
    monkeypatch.setenv("PYTHONPATH", str(tasks))
    yield psutil.Process(opened.process.pid)
    opened.channel.close()
    assert opened.process.wait(60) is not None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that says hello."""
    path = tmp_path / "file"
    path.write_text("hello")
    return path


def sandbox_of(given: str = "yes", **argument: object) -> Sandbox:
    """A sandbox whose zygotes the nursery has, if they are given what it was given."""
    return Sandbox("inbox_tasks:task", "inbox_tasks:warm", argument, {"GIVEN": given})


def run(sandbox: Sandbox, file: Path, **argument: object) -> Any:
    """One call with the usual limits."""
    return sandbox.run(file, argument, limits=LIMITS, seconds=120)


def test_a_zygote_comes_from_the_nursery(kept: psutil.Process, file: Path) -> None:
    """It is a fork of the nursery, loads what it is asked to, and serves all calls."""
    with sandbox_of() as sandbox:
        first, second = run(sandbox, file), run(sandbox, file)
        assert first["data"] == second["data"] == "hello"
        assert first["zygote"] == second["zygote"]
        assert first["warmed"] == [first["zygote"]]
        assert psutil.Process(first["zygote"]).ppid() == kept.pid
    assert not left_after(kept.children(), 60)


def test_it_knows_no_secret(kept: psutil.Process, file: Path) -> None:
    """A child sees what a zygote is given, and no way to the nursery or to other zygotes."""
    with sandbox_of() as one, sandbox_of() as other:
        run(other, file)
        seen = run(one, file)
    assert seen["environment"]["GIVEN"] == "yes"
    assert not {name for name in seen["environment"] if name.startswith("INBOX_")}
    assert "HOME" not in seen["environment"]
    assert not seen["sockets"]
    assert "INBOX_SECRET" not in kept.environ()


def test_each_sandbox_has_a_zygote_of_its_own(kept: psutil.Process, file: Path) -> None:
    """Nothing is shared between two of them but what the nursery had loaded."""
    with sandbox_of() as one, sandbox_of() as other:
        assert run(one, file)["zygote"] != run(other, file)["zygote"]


def test_the_network_is_kept_away_as_from_any_other(kept: psutil.Process, file: Path) -> None:
    """The same ways hold as in a zygote that is a program of its own."""
    with sandbox_of() as forked, sandbox_of("another") as program:
        assert forked.without_network == program.without_network


def test_other_variables_mean_a_program_of_its_own(kept: psutil.Process, file: Path) -> None:
    """What counts when a program starts is never given to one that runs already."""
    with sandbox_of("another") as sandbox:
        seen = run(sandbox, file)
        assert seen["environment"]["GIVEN"] == "another"
        assert psutil.Process(seen["zygote"]).ppid() == os.getpid()


def test_a_killed_zygote_is_replaced(kept: psutil.Process, file: Path) -> None:
    """After kill -9 of the zygote the next call works."""
    with sandbox_of() as sandbox:
        first = psutil.Process(run(sandbox, file)["zygote"])
        first.kill()
        assert not left_after([first], 60)
        assert psutil.Process(run(sandbox, file)["zygote"]).ppid() == kept.pid


def test_a_library_that_is_missing_is_said(kept: psutil.Process, file: Path) -> None:
    """A zygote that cannot load its libraries ends, and the nursery goes on."""
    with sandbox_of(fail=True) as broken, pytest.raises(errors.ConfigurationError):
        run(broken, file)
    with sandbox_of() as sandbox:
        assert psutil.Process(run(sandbox, file)["zygote"]).ppid() == kept.pid


def test_without_its_nursery_a_sandbox_helps_itself(kept: psutil.Process, file: Path) -> None:
    """After kill -9 of the nursery zygotes are programs again."""
    kept.kill()
    assert not left_after([kept], 60)
    with sandbox_of() as sandbox:
        assert psutil.Process(run(sandbox, file)["zygote"]).ppid() == os.getpid()


OWNER = """
import os, sys, time
from pathlib import Path
from inbox.extract.sandbox import Limits, Sandbox, nursery, starting
nursery.keep(starting.environment())
if os.fork() == 0:
    limits = Limits(memory_bytes=512 * 1024 * 1024, cpu_seconds=60)
    with Sandbox("inbox_tasks:task", "inbox_tasks:warm", {}, {}) as sandbox:
        sandbox.run(Path(sys.argv[1]), {"mark": sys.argv[2]}, limits=limits, seconds=600)
os.wait()
"""


@pytest.mark.parametrize("victims", ["both", "fork"])
def test_kill_nine_leaves_no_process(tasks: Path, file: Path, tmp_path: Path, victims: str) -> None:
    """Kill -9 of the fork, or of all that may ask, leaves no process and no temporary file."""
    mark, temporary = tmp_path / "mark", tmp_path / "tmp"
    temporary.mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(file), str(mark)],
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(tasks)},
    )
    family: list[psutil.Process] = []
    try:
        for _ in range(12000):
            if mark.exists():
                break
            assert owner.poll() is None
            psutil.wait_procs([psutil.Process(owner.pid)], timeout=0.01)
        [keeper] = children(owner.pid, "inbox.extract.sandbox.nursery")
        family = psutil.Process(owner.pid).children(recursive=True)
        [fork] = [one for one in family if one.ppid() == owner.pid and one != keeper]
        below = keeper.children(recursive=True)
        assert len(below) == 2
        if victims == "both":
            owner.send_signal(signal.SIGKILL)
        fork.kill()
        owner.wait(60)
        assert not left_after(family, 60)
        assert not list(temporary.iterdir())
    finally:
        send(family)
        owner.kill()
        owner.wait()


def test_a_file_is_read_by_way_of_the_nursery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader's own sandboxes are served; what is read is the same."""
    monkeypatch.setattr(nursery, "_nursery", None)
    keep_nursery()
    keep_nursery()
    opened: Any = nursery._nursery
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ms Lovelace")
    others = children(os.getpid(), "inbox.extract.sandbox.zygote")
    with Reader(Settings(_env_file=None)) as reader:
        assert reader.read(path).text == "Dear Ms Lovelace"
        assert len(psutil.Process(opened.process.pid).children()) == 1
        # Those of other tests in this process may be there.
        assert set(children(os.getpid(), "inbox.extract.sandbox.zygote")) <= set(others)
    opened.channel.close()
    assert opened.process.wait(60) == 0
