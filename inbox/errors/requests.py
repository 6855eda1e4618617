"""The request is the problem: the caller reads why."""

from __future__ import annotations

from inbox.errors.base import InboxError


class RequestError(InboxError):
    """The request is the problem."""


class InvalidRequest(RequestError):
    """The request is not of the form that is expected."""

    code = "invalid_request"


class NotMultipart(RequestError):
    """The body is not a multipart form."""

    code = "not_multipart"


class UploadStalled(RequestError):
    """No more of the body came for too long."""

    code = "upload_stalled"


class NoFiles(RequestError):
    """The request brings no file."""

    code = "no_files"


class TooManyFiles(RequestError):
    """The request brings more files than one job may have."""

    code = "too_many_files"


class FileTooLarge(RequestError):
    """One file has more bytes than allowed.

    Args:
        message: what is said.
        file: which file of the request, counted from 1; None where unknown.
    """

    code = "file_too_large"

    def __init__(self, message: str = "", file: int | None = None) -> None:
        super().__init__(message)
        self.file = file


class JobTooLarge(RequestError):
    """The files together have more bytes than allowed."""

    code = "job_too_large"


class InvalidLabels(RequestError):
    """The caller's labels cannot be used."""

    code = "invalid_labels"


class UnsupportedLanguage(RequestError):
    """A language that was asked for cannot be read here."""

    code = "unsupported_language"


class UnsupportedOutput(RequestError):
    """The file cannot be had in the form that was asked for."""

    code = "unsupported_output"


class JobNotFound(RequestError):
    """No job has this id."""

    code = "job_not_found"


class JobNotOver(RequestError):
    """The job is not over yet, and this is for jobs that are."""

    code = "job_not_over"


class PageNotFound(RequestError):
    """There is no such page, or no picture can be made of it."""

    code = "page_not_found"


class FileNotFound(RequestError):
    """The job has no such file."""

    code = "file_not_found"


class FileNotCompleted(RequestError):
    """The file is not completed, and this is for files that are."""

    code = "file_not_completed"


class LinkExpired(RequestError):
    """A download link whose time is over, or which was not made here."""

    code = "link_expired"


class LabelSetNotFound(RequestError):
    """No label set has this name."""

    code = "label_set_not_found"


class SubmissionInFlight(RequestError):
    """Another request with the same Idempotency-Key is still sending its files."""

    code = "submission_in_flight"
    retry = True


class IdempotencyConflict(RequestError):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_conflict"


class Unauthenticated(RequestError):
    """The request bears no credentials that are good here."""

    code = "unauthenticated"


class ScopeMissing(RequestError):
    """The credentials are good, and not for this."""

    code = "scope_missing"


class RateLimited(RequestError):
    """More requests came than these credentials may send.

    Args:
        message: what is said.
        after: whole seconds until the next request is taken.
    """

    code = "rate_limited"
    retry = True

    def __init__(self, message: str = "", after: int = 1) -> None:
        super().__init__(message)
        self.after = after


class WebhookNotFound(RequestError):
    """No webhook has this id."""

    code = "webhook_not_found"


class MessageNotFound(RequestError):
    """No message of a webhook has this id."""

    code = "message_not_found"


class UrlRefused(RequestError):
    """The URL is not one that messages may be sent to."""

    code = "url_refused"


class KeyNotFound(RequestError):
    """No API key has this id."""

    code = "key_not_found"
