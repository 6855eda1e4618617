"""The accounts of a job's calls to a model, in the database."""

from __future__ import annotations

from uuid import UUID

from inbox.classify import Usage, over_budget
from inbox.model import File, Lease
from inbox.settings import Settings
from inbox.store import Store

_DAY = 86_400.0


class Bill:
    """What a file's calls cost and what was answered; a `inbox.classify.Ledger`."""

    def __init__(self, store: Store, settings: Settings, lease: Lease, file: File) -> None:
        self._store, self._lease, self._file = store, lease, file
        self._keep_seconds = settings.answer_retention_days * _DAY
        limits = (settings.model_job_budget, lease.options.budget)
        self._job_budget = min((each for each in limits if each is not None), default=None)
        self._daily_budget = settings.model_daily_budget

    def recall(self, key: str) -> str | None:
        """See `Ledger`."""
        if not self._keep_seconds:
            return None
        return self._store.recall_answer(self._lease.client_id, key)

    def reserve(self, call: UUID, model: str, most: float | None) -> None:
        """See `Ledger`.

        Raises:
            BudgetExceeded: of the job, or of the client's day.
            LeaseLost: the lease lapsed or passed on.
        """
        answer = self._store.reserve_call(
            self._lease,
            self._file,
            call,
            model,
            most,
            budgets=(self._job_budget, self._daily_budget),
        )
        if answer != "ok":
            raise over_budget(answer, most)

    def settle(
        self, call: UUID, usage: Usage, money: float | None, kept: tuple[str, str] | None
    ) -> None:
        """See `Ledger`."""
        tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens)
        self._store.settle_call(call, tokens, money, kept, self._keep_seconds)
