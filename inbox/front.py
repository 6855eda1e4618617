"""What the interface does with an inbox: accept, watch, keys, webhooks, what expires."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from inbox import keys
from inbox.errors import NoFiles, TooManyFiles
from inbox.interface import (
    WEBHOOK_EVENTS,
    ApiKey,
    CheckedKey,
    Delivery,
    Events,
    JobFilter,
    Metrics,
    Outcome,
    Scope,
    Taken,
    Watched,
    Webhook,
    WebhookEvent,
    WebhookMessage,
)
from inbox.model import Job, JobOptions, JobSummary, Label, Order, Upload
from inbox.worker import Worker

EVERYTHING = (Scope.READ, Scope.SUBMIT, Scope.MANAGE)
REQUESTS_A_MINUTE = 600
SECONDS_OF_A_DAY = 86_400
SETTLED_SECONDS = 30.0 * SECONDS_OF_A_DAY  # how long settled messages and used keys are remembered


class Front(Worker):
    """The interface's part of an inbox; see `inbox.service.Inbox` for how to open it."""

    def accept(
        self,
        job_id: UUID,
        uploads: Sequence[Upload],
        labels: Sequence[Label] | None = None,
        client_id: str = "local",
        reservation: tuple[str, str] | None = None,
        *,
        options: JobOptions | None = None,
        sealed: str | None = None,
    ) -> Taken:
        """Queue a job whose bytes are in the blob store; also how many files wait before it.

        Args:
            job_id: chosen by the caller, who stored the bytes under it; the same is the same job.
            uploads: the files.
            labels: the caller's own; None for the default set.
            client_id: whose job it is.
            reservation: the key that `reserve` gave to this job, and the request's digest.
            options: what the caller asks for; None for what the settings say.
            sealed: the job's secrets, as `seal` made them.

        Raises:
            IdempotencyConflict: another request took the key over meanwhile.
            NoFiles: there is no file.
            TooManyFiles: there are more than the settings allow.
            StoreUnavailable: the database does not answer; nothing is promised.
        """
        order = self.order(uploads, labels, client_id, options, sealed)
        return self.store.accept(job_id, order, reservation)

    def order(
        self,
        uploads: Sequence[Upload],
        labels: Sequence[Label] | None,
        client_id: str,
        options: JobOptions | None,
        sealed: str | None,
    ) -> Order:
        """A submission that keeps to the settings.

        Raises:
            NoFiles: there is no file.
            TooManyFiles: there are more than the settings allow.
        """
        if not uploads:
            raise NoFiles("the job has no files; send at least one")
        if len(uploads) > self.settings.max_files:
            raise TooManyFiles(f"a job may have {self.settings.max_files} files at most")
        return Order(
            uploads=tuple(uploads),
            labels=None if labels is None else tuple(labels),
            client_id=client_id,
            max_attempts=self.settings.max_attempts,
            options=options or JobOptions(),
            sealed=sealed,
        )

    def find(
        self,
        wanted: JobFilter,
        *,
        client_id: str | None = None,
        before: tuple[datetime, UUID] | None = None,
        limit: int = 50,
    ) -> tuple[JobSummary, ...]:
        """Jobs that fit, newest first, from below `before`; at most 500."""
        return self.store.find(client_id, wanted, before, limit)

    def watch(
        self, job_id: UUID, client_id: str | None = None, known: int | None = None
    ) -> Watched:
        """A job with the number of its last event; without the job where that is `known`.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        found = self.store.watch(job_id, client_id, known)
        return found.model_copy(update={"job": found.job and self.stated(found.job)})

    def stated(self, job: Job) -> Job:
        """The job with the time at which it will be forgotten."""
        if job.finished_at is None or self.settings.retention_days is None:
            return job
        expires_at = job.finished_at + timedelta(days=self.settings.retention_days)
        return job.model_copy(update={"expires_at": expires_at})

    def last_events(self, job_ids: Sequence[UUID]) -> dict[UUID, int]:
        """The number of the last event of those of the jobs that exist."""
        return self.store.last_events(job_ids)

    def events(
        self, job_id: UUID, client_id: str | None = None, after: int = 0, limit: int = 500
    ) -> Events:
        """A job's events after a number, in order; at most 1,000.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return self.store.events(job_id, client_id, after, limit)

    def metrics(self, seconds: float = 300) -> Metrics:
        """How it goes now, and went in the last so many seconds."""
        return self.store.metrics(seconds)

    # -- API keys -------------------------------------------------------------------

    def create_key(
        self,
        name: str,
        client_id: str,
        scopes: Sequence[Scope] = EVERYTHING,
        per_minute: int = REQUESTS_A_MINUTE,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make an API key; the second value is the key itself, which nothing keeps.

        Args:
            name: for people.
            client_id: whose jobs it submits and sees.
            scopes: what it is good for.
            per_minute: requests that it may send in a minute.
            expires_at: until when it is good; None for ever.
        """
        secret = keys.new_key()
        key = ApiKey(
            id=uuid4(),
            name=name,
            client_id=client_id,
            hint=keys.hint(secret),
            scopes=tuple(scopes),
            per_minute=per_minute,
            created_at=datetime.now(UTC),
            expires_at=expires_at,
        )
        return self.store.create_key(key, keys.digest(secret)), secret

    def api_keys(self) -> tuple[ApiKey, ...]:
        """Every key there ever was, oldest first."""
        return self.store.api_keys()

    def revoke_key(self, key_id: UUID) -> ApiKey:
        """Have a key be good for nothing from now on.

        Raises:
            KeyNotFound: there is none with this id.
        """
        return self.store.revoke_key(key_id)

    def check_key(self, key: str | None) -> CheckedKey:
        """Whether there ever was a key, and this one if it is good."""
        return self.store.check_key(None if key is None else keys.digest(key))

    # -- webhooks -------------------------------------------------------------------

    def create_webhook(
        self,
        url: str,
        client_id: str = "local",
        events: Sequence[WebhookEvent] = WEBHOOK_EVENTS,
    ) -> tuple[Webhook, str]:
        """Tell a URL when jobs of a client are over; the second value is the signing secret.

        Raises:
            UrlRefused: it is not one that messages may be sent to.
            InvalidRequest: the client has as many webhooks as it may have.
        """
        from inbox.webhooks import check_url, new_secret

        check_url(url, allow_private=self.settings.webhook_allow_private)
        secret = new_secret()
        return self.store.create_webhook(uuid4(), client_id, url, secret, events), secret

    def webhooks(self, client_id: str | None = None) -> tuple[Webhook, ...]:
        """A client's webhooks, oldest first."""
        return self.store.webhooks(client_id)

    def delete_webhook(self, webhook_id: UUID, client_id: str | None = None) -> None:
        """Forget a webhook with its messages.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        self.store.delete_webhook(webhook_id, client_id)

    def enable_webhook(self, webhook_id: UUID, client_id: str | None = None) -> Webhook:
        """Use a webhook again that was disabled.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        return self.store.enable_webhook(webhook_id, client_id)

    def webhook_log(
        self, webhook_id: UUID, client_id: str | None = None, limit: int = 50
    ) -> tuple[WebhookMessage, ...]:
        """The latest messages with their attempts, newest first; at most 200.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        return self.store.webhook_log(webhook_id, client_id, limit)

    def test_webhook(self, webhook_id: UUID, client_id: str | None = None) -> WebhookMessage:
        """Queue a message that tells of nothing.

        Raises:
            WebhookNotFound: there is none, or it is another client's.
        """
        return self.store.test_webhook(webhook_id, client_id, uuid4())

    def replay_message(self, message_id: UUID, client_id: str | None = None) -> WebhookMessage:
        """Send a message that is over once more, under the same id.

        Raises:
            MessageNotFound: there is none, or it is another client's.
        """
        return self.store.replay_message(message_id, client_id)

    def claim_messages(self, limit: int, seconds: float) -> tuple[Delivery, ...]:
        """Take messages that are due; nobody else gets them for so many seconds."""
        return self.store.claim_messages(limit, seconds, self.settings.webhook_max_attempts)

    def settle_message(self, sent: Delivery, outcome: Outcome, retry_seconds: float) -> str | None:
        """Write down how an attempt to deliver went; the message's state."""
        most = self.settings.webhook_max_attempts
        return self.store.settle_message(sent, outcome, retry_seconds, most)
