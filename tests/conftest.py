"""Two processes run the tests: a file's tests stay together, and whole stacks run one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

E2E = Path(__file__).parent / "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests belong in one process; pytest-xdist reads it under --dist loadgroup."""
    for item in items:
        group = "e2e" if item.path.is_relative_to(E2E) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
