"""What a job allows and asks for when its documents are classified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

from inbox.errors import BudgetExceeded
from inbox.model import FieldWanted


class Usage(NamedTuple):
    """Tokens of one call; `cached_tokens` are a part of `input_tokens`."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


class Ledger(Protocol):
    """Keeps account of a file's calls to a model, and the answers."""

    def recall(self, key: str) -> str | None:
        """The answer that was kept under `key`, as JSON."""
        ...

    def reserve(self, call: UUID, model: str, most: float | None) -> None:
        """Set aside what a call may cost at most, in US dollars; None where nobody knows.

        Raises:
            BudgetExceeded: there is not so much left; the call must not be made.
        """
        ...

    def settle(
        self, call: UUID, usage: Usage, money: float | None, kept: tuple[str, str] | None
    ) -> None:
        """Put what a call took in the place of what was set aside; keep its answer.

        A call that is never settled stays at its most: its server may have charged it.

        Args:
            call: what was reserved.
            usage: its tokens.
            money: what they cost.
            kept: the key and the answer as JSON; None where the answer is of no use.
        """
        ...


class MemoryLedger:
    """Accounts of one run of a program, where no database is."""

    def __init__(self, budget: float | None = None) -> None:
        self._budget = budget
        self._spent: dict[UUID, float | None] = {}
        self._answers: dict[str, str] = {}

    def recall(self, key: str) -> str | None:
        """See `Ledger`."""
        return self._answers.get(key)

    def reserve(self, call: UUID, model: str, most: float | None) -> None:  # noqa: ARG002
        """See `Ledger`."""
        if self._budget is not None:
            spent = sum(each or 0 for each in self._spent.values())
            if most is None or spent + most > self._budget:
                raise over_budget("run", most)
        self._spent[call] = most

    def settle(
        self,
        call: UUID,
        usage: Usage,  # noqa: ARG002
        money: float | None,
        kept: tuple[str, str] | None,
    ) -> None:
        """See `Ledger`."""
        self._spent[call] = money
        if kept is not None:
            self._answers[kept[0]] = kept[1]


def over_budget(whose: str, most: float | None) -> BudgetExceeded:
    """The error of a call that the budget of `whose` does not allow."""
    if most is None:
        return BudgetExceeded(
            "The model's price is unknown, so the budget cannot be kept; see INBOX_MODEL_PRICES."
        )
    return BudgetExceeded(
        f"The budget of the {whose} does not allow another call, which may cost {most:.4f} dollars."
    )


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Terms:
    """What a job allows and asks for.

    Attributes:
        fields: what to find; None for dates, amounts and parties.
        redact: whether account numbers and addresses are hidden from a model.
        ledger: keeps account of the calls.
        still: called now and then while there is only waiting; it raises where the work is to stop.
    """

    fields: tuple[FieldWanted, ...] | None = None
    redact: bool = False
    ledger: Ledger = field(default_factory=MemoryLedger)
    still: Callable[[], None] = _nothing
