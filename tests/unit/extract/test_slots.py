"""The bound on pages that are recognised at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from inbox.extract.slots import Slots

HOLDER = """
import sys
from inbox.extract import slots
slots.PREFIX = sys.argv[1]
with slots.Slots(1).one(lambda: False) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def prefix(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """Names of slots that no other reader of this machine uses."""
    name = f"inbox-test-{id(request)}"
    monkeypatch.setattr("inbox.extract.slots.PREFIX", name)
    return name


def never() -> bool:
    """Patience without end."""
    return False


def at_once() -> bool:
    """No patience."""
    return True


def test_no_more_than_the_bound_are_held(prefix: str) -> None:
    """The bound holds over all objects of one process."""
    with ExitStack() as stack:
        held = [stack.enter_context(Slots(2).one(never)) for _ in range(2)]
        assert held == [True, True]
        with Slots(2).one(at_once) as more:
            assert not more
    with Slots(2).one(never) as again:
        assert again


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names in the kernel")
def test_the_bound_holds_over_processes_and_their_deaths(prefix: str) -> None:
    """A slot that another process holds is taken, until that process is killed."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, prefix], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"True\n"
        with Slots(1).one(at_once) as held:
            assert not held
        other.kill()
        other.wait()
        with Slots(1).one(never) as held:
            assert held
    finally:
        other.kill()
        other.communicate()


def test_waiting_ends_when_a_slot_is_given_back(prefix: str) -> None:
    """One that waits gets the slot that another lets go."""
    slots, got = Slots(1), threading.Event()

    def wait() -> None:
        with slots.one(never) as held:
            if held:
                got.set()

    with slots.one(never):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not got.is_set()
    assert got.wait(120)
    thread.join()
