"""Two processes run the tests: a file's tests stay together, and whole stacks run one at a time."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

STACKS = "tests/e2e/"


class WholeFiles(LoadFileScheduling):
    """Hands out one file after the other, but all whole stacks to one process.

    pytest-xdist has marks for that, too, which its version 3.8 does not see under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return STACKS if nodeid.startswith(STACKS) else super()._split_scope(nodeid)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles | None:
    """Refine --dist loadfile."""
    return WholeFiles(config, log) if config.getoption("dist") == "loadfile" else None
