"""The verbs of the interface: events, lists, API keys, webhooks, what expires."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from inbox.errors import KeyNotFound, MessageNotFound, WebhookNotFound
from inbox.interface import (
    ApiKey,
    CheckedKey,
    Delivery,
    Events,
    JobFilter,
    Metrics,
    Outcome,
    Taken,
    Watched,
    Webhook,
    WebhookMessage,
)
from inbox.model import JobSummary, Order
from inbox.store.calls import Calls, of_job
from inbox.store.labels import dump_label


class InterfaceVerbs(Calls):
    """What the HTTP API asks of the rows beyond the queue."""

    # -- jobs -----------------------------------------------------------------------

    def accept(
        self, job_id: UUID, order: Order, reservation: tuple[str, str] | None = None
    ) -> Taken:
        """As `submit`; says also how many files wait before it.

        Args:
            job_id: the same again is the same job.
            order: what is submitted.
            reservation: the key that `reserve` gave to this job, and the request's digest.

        Raises:
            IdempotencyConflict: another request took the key over meanwhile.
        """
        key, digest = reservation or (None, None)
        row = self._call(
            "inbox_accept_job",
            **submission(job_id, order),
            p_key=key,
            p_request_sha256=digest,
        )
        return Taken.model_validate(row)

    def find(
        self,
        client_id: str | None,
        wanted: JobFilter,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> tuple[JobSummary, ...]:
        """Jobs, newest first, from below `before` (created_at, job_id); at most 500."""
        rows = self._call(
            "inbox_find_jobs",
            p_client_id=client_id,
            p_filters=wanted.model_dump(mode="json", exclude_none=True),
            p_before_created_at=before and before[0].isoformat(),
            p_before_id=before and before[1],
            p_limit=limit,
        )
        return tuple(JobSummary.model_validate(row) for row in rows)

    def watch(
        self, job_id: UUID, client_id: str | None = None, known: int | None = None
    ) -> Watched:
        """A job with the number of its last event; without the job where that is `known`.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        row = self._call("inbox_watch_job", p_job_id=job_id, p_client_id=client_id, p_known=known)
        return Watched.model_validate(of_job(row))

    def last_events(self, job_ids: Sequence[UUID]) -> dict[UUID, int]:
        """The number of the last event of those of the jobs that exist."""
        row = self._call("inbox_last_events", p_job_ids=[str(job_id) for job_id in job_ids])
        return {UUID(job_id): last for job_id, last in row.items()}

    def events(
        self, job_id: UUID, client_id: str | None = None, after: int = 0, limit: int = 500
    ) -> Events:
        """A job's events after a number, in order; at most 1,000.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        row = self._call(
            "inbox_job_events",
            p_job_id=job_id,
            p_client_id=client_id,
            p_after=after,
            p_limit=limit,
        )
        return Events.model_validate(of_job(row))

    def expired(self, seconds: float, limit: int) -> tuple[UUID, ...]:
        """Jobs that have been over for longer than so many seconds, the oldest first."""
        rows = self._call("inbox_expired_jobs", p_seconds=seconds, p_limit=limit)
        return tuple(UUID(row) for row in rows)

    def forget_old(self, seconds: float) -> int:
        """Forget settled messages and used keys older than this; how many there were."""
        return int(self._call("inbox_forget_old", p_seconds=seconds))

    def metrics(self, seconds: float) -> Metrics:
        """How it goes now, and went in the last so many seconds."""
        return Metrics.model_validate(self._call("inbox_metrics", p_seconds=seconds))

    # -- API keys -------------------------------------------------------------------

    def create_key(self, key: ApiKey, sha256: str) -> ApiKey:
        """Keep a key by its digest."""
        row = self._call(
            "inbox_create_api_key",
            p_id=key.id,
            p_name=key.name,
            p_client_id=key.client_id,
            p_hint=key.hint,
            p_sha256=sha256,
            p_scopes=[scope.value for scope in key.scopes],
            p_per_minute=key.per_minute,
            p_expires_at=key.expires_at and key.expires_at.isoformat(),
        )
        return ApiKey.model_validate(row)

    def api_keys(self) -> tuple[ApiKey, ...]:
        """Every key there ever was, oldest first."""
        return tuple(ApiKey.model_validate(row) for row in self._call("inbox_list_api_keys"))

    def revoke_key(self, key_id: UUID) -> ApiKey:
        """Have a key be good for nothing from now on.

        Raises:
            KeyNotFound: there is none with this id.
        """
        row = self._call("inbox_revoke_api_key", p_id=key_id)
        if row is None:
            raise KeyNotFound("no API key has this id")
        return ApiKey.model_validate(row)

    def check_key(self, sha256: str | None) -> CheckedKey:
        """Whether there ever was a key, and the one with this digest if it is good."""
        return CheckedKey.model_validate(self._call("inbox_check_api_key", p_sha256=sha256))

    # -- webhooks -------------------------------------------------------------------

    def create_webhook(
        self, webhook_id: UUID, client_id: str, url: str, secret: str, events: Sequence[str]
    ) -> Webhook:
        """Tell this URL when jobs of the client are over.

        Raises:
            InvalidRequest: the client has as many as it may have.
        """
        row = self._call(
            "inbox_create_webhook",
            p_id=webhook_id,
            p_client_id=client_id,
            p_url=url,
            p_secret=secret,
            p_events=list(events),
        )
        return Webhook.model_validate(row)

    def webhooks(self, client_id: str | None) -> tuple[Webhook, ...]:
        """A client's webhooks, oldest first."""
        rows = self._call("inbox_list_webhooks", p_client_id=client_id)
        return tuple(Webhook.model_validate(row) for row in rows)

    def delete_webhook(self, webhook_id: UUID, client_id: str | None) -> None:
        """Forget a webhook with its messages.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        if not self._call("inbox_delete_webhook", p_id=webhook_id, p_client_id=client_id):
            raise WebhookNotFound("no webhook has this id")

    def enable_webhook(self, webhook_id: UUID, client_id: str | None) -> Webhook:
        """Use a webhook again that was disabled.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        row = self._call("inbox_enable_webhook", p_id=webhook_id, p_client_id=client_id)
        return Webhook.model_validate(_webhook(row))

    def webhook_log(
        self, webhook_id: UUID, client_id: str | None, limit: int
    ) -> tuple[WebhookMessage, ...]:
        """The latest messages with their attempts, newest first; at most 200.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        rows = self._call(
            "inbox_webhook_log", p_id=webhook_id, p_client_id=client_id, p_limit=limit
        )
        return tuple(WebhookMessage.model_validate(row) for row in _webhook(rows))

    def test_webhook(
        self, webhook_id: UUID, client_id: str | None, message_id: UUID
    ) -> WebhookMessage:
        """Queue a message that tells of nothing.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        row = self._call(
            "inbox_test_webhook",
            p_id=webhook_id,
            p_client_id=client_id,
            p_message_id=message_id,
        )
        return WebhookMessage.model_validate(_webhook(row))

    def replay_message(self, message_id: UUID, client_id: str | None) -> WebhookMessage:
        """Send a message that is over once more; one that is under way stays as it is.

        Raises:
            MessageNotFound: there is none, or it is another client's.
        """
        row = self._call("inbox_replay_message", p_message_id=message_id, p_client_id=client_id)
        if row is None:
            raise MessageNotFound("no message has this id")
        return WebhookMessage.model_validate(row)

    def claim_messages(self, limit: int, seconds: float, max_attempts: int) -> tuple[Delivery, ...]:
        """Take messages that are due; nobody else gets them for so many seconds."""
        rows = self._call(
            "inbox_claim_messages",
            p_limit=limit,
            p_seconds=seconds,
            p_max_attempts=max_attempts,
        )
        return tuple(Delivery.model_validate(row) for row in rows)

    def settle_message(
        self, sent: Delivery, outcome: Outcome, retry_seconds: float, max_attempts: int
    ) -> str | None:
        """Write down how an attempt went; the message's state, None where it is not the last."""
        state = self._call(
            "inbox_settle_message",
            p_message_id=sent.id,
            p_replay=sent.replay,
            p_attempt=sent.attempt,
            p_verdict=outcome.verdict.value,
            p_status=outcome.status,
            p_error_code=outcome.error_code,
            p_seconds=outcome.seconds,
            p_retry_seconds=retry_seconds,
            p_max_attempts=max_attempts,
        )
        return None if state is None else str(state)


def submission(job_id: UUID, order: Order) -> dict[str, Any]:
    """A submission as the SQL functions take it."""
    return {
        "p_job_id": job_id,
        "p_files": [
            {
                "name": upload.name,
                "storage_key": upload.blob.key,
                "sha256": upload.blob.sha256,
                "size_bytes": upload.blob.size,
            }
            for upload in order.uploads
        ],
        "p_labels": None if order.labels is None else [dump_label(each) for each in order.labels],
        "p_client_id": order.client_id,
        "p_max_attempts": order.max_attempts,
        "p_options": order.options.model_dump(mode="json", exclude_none=True),
        "p_sealed": order.sealed,
    }


def _webhook(row: Any) -> Any:
    if row is None:
        raise WebhookNotFound("no webhook has this id")
    return row
