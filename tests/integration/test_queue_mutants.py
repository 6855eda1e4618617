"""Faults put into the SQL on purpose: for each there is a test that fails.

`python tests/support/queue_mutants.py` prints which.
"""

from __future__ import annotations

import pytest
from queue_mutants import MUTANTS, Mutant, mutate, verdict


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_fault_in_the_sql_is_noticed(mutant: Mutant, database_url: str) -> None:
    """The test named in the table complains of this one."""
    mutate(database_url, mutant)
    assert verdict(database_url, mutant.caught_by), f"{mutant.caught_by} noticed nothing"
