"""Failpoints: silent unless they are armed, and then exactly as told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from inbox import failpoints
from inbox.errors import ConfigurationError, NoSpace


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    """Whatever a test arms is gone after it."""
    yield
    failpoints.arm("")


def test_nothing_happens_unless_armed() -> None:
    """Every place may be passed."""
    for place in failpoints.PLACES:
        failpoints.hit(place)


def test_an_error_is_raised_at_the_visit_that_is_named() -> None:
    """The second time only; other places stay silent."""
    failpoints.arm("extract.read=raise:no_space@2")
    failpoints.hit("extract.read")
    failpoints.hit("store.record.before")
    with pytest.raises(NoSpace):
        failpoints.hit("extract.read")
    failpoints.hit("extract.read")


def test_a_place_may_take_its_time() -> None:
    """It waits at least as long as told."""
    failpoints.arm("store.finish.before=sleep:0.05, extract.read=exit")
    began = time.monotonic()
    failpoints.hit("store.finish.before")
    assert time.monotonic() - began >= 0.05


def test_a_process_ends_without_tidying_up() -> None:
    """No finally block runs."""
    code = (
        "from inbox import failpoints\n"
        "failpoints.arm('extract.read=exit')\n"
        "try:\n    failpoints.hit('extract.read')\nfinally:\n    print('tidy')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (failpoints.EXIT_CODE, "")


@pytest.mark.parametrize(
    "plan",
    ["nowhere=exit", "extract.read", "extract.read=raise:nothing", "extract.read=sleep:long",
     "extract.read=exit@last", "extract.read=exit:now"],
)  # fmt: skip
def test_a_wrong_plan_is_refused(plan: str) -> None:
    """At once, not when the place is reached."""
    with pytest.raises(ConfigurationError):
        failpoints.arm(plan)
