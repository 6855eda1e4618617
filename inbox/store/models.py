"""The verbs of what language models cost and answer, and of jobs that wait for one."""

from __future__ import annotations

from uuid import UUID

from inbox.model import File, JobStatus, Lease
from inbox.store.calls import Calls, standing


class ModelVerbs(Calls):
    """A part of `Store`."""

    def recall_answer(self, client_id: str, key: str) -> str | None:
        """The answer that the client has under this key."""
        found = self._call("inbox_recall_model_answer", p_client_id=client_id, p_key=key)
        return None if found is None else str(found)

    def reserve_call(
        self,
        lease: Lease,
        file: File,
        call: UUID,
        model: str,
        money: float | None,
        *,
        budgets: tuple[float | None, float | None],
    ) -> str:
        """Set aside what a call may cost; `ok`, or whose budget forbids it: `job` or `client`.

        Args:
            lease: of the job.
            file: what is asked about.
            call: the same call again is the same call.
            model: its name.
            money: in US dollars; None where nobody knows.
            budgets: of the job and of the client's day.

        Raises:
            LeaseLost: the lease lapsed or passed on.
        """
        answer = self._call(
            "inbox_reserve_model_call",
            p_job_id=lease.job_id,
            p_token=lease.token,
            p_file_id=file.id,
            p_call_id=call,
            p_model=model,
            p_money=money,
            p_job_budget=budgets[0],
            p_daily_budget=budgets[1],
        )
        return standing(answer)

    def settle_call(
        self,
        call: UUID,
        tokens: tuple[int, int, int],
        money: float | None,
        kept: tuple[str, str] | None,
        keep_seconds: float,
    ) -> bool:
        """Say what a call took: input, cached and output tokens, dollars; whether it was news.

        Args:
            call: what was reserved.
            tokens: input, cached and output tokens.
            money: in US dollars.
            kept: key and answer to be kept.
            keep_seconds: for how long.
        """
        found = self._call(
            "inbox_settle_model_call",
            p_call_id=call,
            p_input_tokens=tokens[0],
            p_cached_tokens=tokens[1],
            p_output_tokens=tokens[2],
            p_money=money,
            p_key=kept and kept[0],
            p_answer=kept and kept[1],
            p_keep_seconds=keep_seconds,
        )
        return bool(found)

    def may_postpone(self, job_id: UUID, longest: float) -> bool:
        """Whether a job may be put off once more: it made a step in the last `longest` seconds."""
        found = self._call("inbox_may_postpone_job", p_job_id=job_id, p_longest_seconds=longest)
        return bool(found)

    def postpone(self, lease: Lease, seconds: float) -> JobStatus:
        """Hand a job back uncharged, to be taken up again after so many seconds or more.

        Raises:
            LeaseLost: the lease lapsed or passed on.
        """
        answer = self._call(
            "inbox_postpone_job",
            p_job_id=lease.job_id,
            p_token=lease.token,
            p_seconds=seconds,
        )
        return JobStatus(standing(answer))
