"""Places where a test can make this process die, wait or fail.

For tests only: nothing happens anywhere until `arm` is given a plan, which the setting
INBOX_FAILPOINTS holds. A plan names places and what happens there, parted by commas:

    store.record.before=exit            end the process, with nothing tidied up
    store.finish.before=sleep:2.5       wait so many seconds
    extract.read=raise:no_space         raise the InboxError with this code
    blobs.commit.before=exit@3          only the third time this process comes by
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from typing import NamedTuple

from inbox.errors import ConfigurationError, InboxError

EXIT_CODE = 86
PLACES = (
    "store.claim.after",
    "store.record.before",
    "store.record.after",
    "store.finish.before",
    "blobs.commit.before",
    "blobs.commit.after",
    "extract.read",
    "store.children.before",
    "store.children.after",
    "store.pages.before",
)


class Action(NamedTuple):
    """What happens at a place, and at which visit; 0 for each."""

    kind: str
    argument: str
    visit: int


_armed: dict[str, Action] = {}
_visits: Counter[str] = Counter()
_lock = threading.Lock()


def arm(plan: str) -> None:
    """Have what `plan` says happen in this process from now on; an empty one disarms.

    Raises:
        ConfigurationError: the plan names no such place, or nothing that can happen there.
    """
    with _lock:
        actions = dict(_parse(step) for step in plan.split(",") if step.strip())
        _armed.clear()
        _visits.clear()
        _armed.update(actions)


def hit(place: str) -> None:
    """Say that this place was reached.

    Raises:
        InboxError: the plan says so.
    """
    if _armed:
        _come_by(place)


def _come_by(place: str) -> None:
    action = _armed.get(place)
    if action is None:
        return
    with _lock:
        _visits[place] += 1
        visit = _visits[place]
    if action.visit in {0, visit}:
        _act(action)


def _act(action: Action) -> None:
    if action.kind == "exit":
        os._exit(EXIT_CODE)
    if action.kind == "sleep":
        time.sleep(float(action.argument))
    else:
        raise _errors()[action.argument]("a failpoint says so")


def _parse(step: str) -> tuple[str, Action]:
    place, _, what = step.strip().partition("=")
    what, _, visit = what.partition("@")
    kind, _, argument = what.partition(":")
    known = (
        (kind == "exit" and not argument)
        or (kind == "sleep" and argument.replace(".", "", 1).isdigit())
        or (kind == "raise" and argument in _errors())
    )
    if place not in PLACES or not known or not (visit or "0").isdigit():
        raise ConfigurationError("INBOX_FAILPOINTS holds a step that is not one")
    return place, Action(kind, argument, int(visit or "0"))


def _errors() -> dict[str, type[InboxError]]:
    found: dict[str, type[InboxError]] = {}
    kinds: list[type[InboxError]] = [InboxError]
    while kinds:
        kind = kinds.pop()
        found[kind.code] = kind
        kinds += kind.__subclasses__()
    return found
