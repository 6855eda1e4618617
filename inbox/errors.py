"""Everything that can go wrong, and whether trying again can help.

InboxError
├── PermanentError            this file is the problem: record it, go on with the others
│   ├── UnsupportedType       unsupported_type
│   ├── CorruptFile           corrupt_file
│   │   └── TruncatedFile     truncated_file
│   ├── EncryptedFile         encrypted_file
│   ├── EmptyFile             empty_file
│   ├── TypeMismatch          type_mismatch
│   ├── DecompressionBomb     decompression_bomb
│   ├── XmlDtdForbidden       xml_dtd_forbidden
│   ├── TooManyPages          too_many_pages
│   ├── ReadTimeout           read_timeout
│   ├── ReaderCrashed         reader_crashed
│   ├── TooManyEntries        too_many_entries
│   ├── ContainerTooLarge     container_too_large
│   ├── TooDeep               too_deep
│   ├── NotUnpacked           not_unpacked
│   ├── BlobMissing           blob_missing
│   ├── BlobCorrupt           blob_corrupt
│   ├── ModelRefused          model_refused
│   ├── ModelAnswerInvalid    model_answer_invalid
│   ├── ModelRejected         model_rejected (wrong key, unknown model, no quota)
│   └── BudgetExceeded        budget_exceeded
├── TransientError            the world is the problem: the task is retried
│   ├── ModelUnavailable      model_unavailable
│   │   └── ModelAway         model_away (for every document: the job may wait)
│   ├── BlobsUnavailable      blobs_unavailable
│   ├── StoreUnavailable      store_unavailable
│   ├── NoSpace               no_space
│   └── Busy                  busy
├── StopWork                  stop and write nothing more
│   ├── LeaseLost             lease_lost
│   ├── JobCancelled          job_cancelled
│   └── JobPostponed          job_postponed
├── RequestError              the request is the problem: the caller reads why
│   ├── InvalidRequest        invalid_request
│   ├── NotMultipart          not_multipart
│   ├── UploadStalled         upload_stalled
│   ├── NoFiles               no_files
│   ├── TooManyFiles          too_many_files
│   ├── FileTooLarge          file_too_large
│   ├── JobTooLarge           job_too_large
│   ├── InvalidLabels         invalid_labels
│   ├── UnsupportedLanguage   unsupported_language
│   ├── UnsupportedOutput     unsupported_output
│   ├── JobNotFound           job_not_found
│   ├── JobNotOver            job_not_over
│   ├── PageNotFound          page_not_found
│   ├── FileNotFound          file_not_found
│   ├── FileNotCompleted      file_not_completed
│   ├── LinkExpired           link_expired
│   ├── LabelSetNotFound      label_set_not_found
│   ├── SubmissionInFlight    submission_in_flight
│   ├── IdempotencyConflict   idempotency_conflict
│   ├── Unauthenticated       unauthenticated
│   ├── ScopeMissing          scope_missing
│   ├── RateLimited           rate_limited
│   ├── WebhookNotFound       webhook_not_found
│   ├── MessageNotFound       message_not_found
│   ├── UrlRefused            url_refused
│   └── KeyNotFound           key_not_found
└── ConfigurationError        configuration
    └── MigrationsMissing     migrations_missing

A message never holds document text, a file name or a key: Prefect stores messages.
"""

from __future__ import annotations

from typing import ClassVar


class InboxError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        code: stable, lower-case identifier that clients may compare with.
        retry: whether the same call may succeed later with nothing changed.
    """

    code: ClassVar[str] = "internal"
    retry: ClassVar[bool] = False


class PermanentError(InboxError):
    """The file is the problem; trying again gives the same answer."""


class UnsupportedType(PermanentError):
    """No reader knows this type of content."""

    code = "unsupported_type"


class CorruptFile(PermanentError):
    """The bytes are not a whole document of the type they claim."""

    code = "corrupt_file"


class TruncatedFile(CorruptFile):
    """The end of the file is missing."""

    code = "truncated_file"


class EncryptedFile(PermanentError):
    """The document does not open without a password."""

    code = "encrypted_file"


class EmptyFile(PermanentError):
    """The file has no bytes."""

    code = "empty_file"


class TypeMismatch(PermanentError):
    """The name claims a format that the bytes are not."""

    code = "type_mismatch"


class DecompressionBomb(PermanentError):
    """The file is small, and built to become enormous when it is opened."""

    code = "decompression_bomb"


class XmlDtdForbidden(PermanentError):
    """The XML declares or names a document type, which may read files and reach the network."""

    code = "xml_dtd_forbidden"


class TooManyPages(PermanentError):
    """The document has more pages than the settings allow."""

    code = "too_many_pages"


class ReadTimeout(PermanentError):
    """Reading took longer than the settings allow."""

    code = "read_timeout"


class ReaderCrashed(PermanentError):
    """The reading process died: out of memory, over its limits, or a fault in a parser."""

    code = "reader_crashed"


class TooManyEntries(PermanentError):
    """The container holds more files than one job may bring so."""

    code = "too_many_entries"


class ContainerTooLarge(PermanentError):
    """The files inside the container have more bytes than one job may bring so."""

    code = "container_too_large"


class TooDeep(PermanentError):
    """The container lies inside more others than the settings allow."""

    code = "too_deep"


class NotUnpacked(PermanentError):
    """The bytes of this file could not be taken out of its container, so there are none."""

    code = "not_unpacked"


class BlobMissing(PermanentError):
    """The blob store has no bytes under this key."""

    code = "blob_missing"


class BlobCorrupt(PermanentError):
    """The stored bytes are not those that were submitted."""

    code = "blob_corrupt"


class ModelRefused(PermanentError):
    """The model declined to answer."""

    code = "model_refused"


class ModelAnswerInvalid(PermanentError):
    """The model's answer does not follow the schema."""

    code = "model_answer_invalid"


class ModelRejected(PermanentError):
    """The model's server refused the request: wrong key, unknown model or no quota left."""

    code = "model_rejected"


class BudgetExceeded(PermanentError):
    """Asking the model could cost more than the job or its client may spend."""

    code = "budget_exceeded"


class TransientError(InboxError):
    """The world is the problem; a later try may succeed."""

    retry = True


class ModelUnavailable(TransientError):
    """The model's server did not answer in time, or answered with a fault of its own."""

    code = "model_unavailable"


class ModelAway(ModelUnavailable):
    """The model's server answers nobody; `seconds` is how long to leave it alone."""

    code = "model_away"

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class BlobsUnavailable(TransientError):
    """The blob store did not answer."""

    code = "blobs_unavailable"


class StoreUnavailable(TransientError):
    """The database did not answer."""

    code = "store_unavailable"


class NoSpace(TransientError):
    """The disk is full."""

    code = "no_space"


class Busy(TransientError):
    """More is being done at once than this process takes on."""

    code = "busy"


class StopWork(InboxError):
    """The worker must stop this job and write nothing more."""


class LeaseLost(StopWork):
    """The lease ran out or another worker holds the job now."""

    code = "lease_lost"


class JobCancelled(StopWork):
    """Somebody asked for the job to be cancelled."""

    code = "job_cancelled"


class JobPostponed(StopWork):
    """The job goes back to the queue for a while, because a service that it needs is away."""

    code = "job_postponed"


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


class ConfigurationError(InboxError):
    """A setting, or what a setting points to, cannot work."""

    code = "configuration"


class MigrationsMissing(ConfigurationError):
    """The database lacks the tables or functions of this version."""

    code = "migrations_missing"
