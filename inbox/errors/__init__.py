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
    ├── MigrationsMissing     migrations_missing
    └── SecretKeyMissing      secret_key_missing

A message never holds document text, a file name or a key: Prefect stores messages.
"""

from __future__ import annotations

from inbox.errors.base import InboxError
from inbox.errors.configuration import ConfigurationError, MigrationsMissing, SecretKeyMissing
from inbox.errors.files import (
    BlobCorrupt,
    BlobMissing,
    BudgetExceeded,
    ContainerTooLarge,
    CorruptFile,
    DecompressionBomb,
    EmptyFile,
    EncryptedFile,
    ModelAnswerInvalid,
    ModelRefused,
    ModelRejected,
    NotUnpacked,
    PermanentError,
    ReaderCrashed,
    ReadTimeout,
    TooDeep,
    TooManyEntries,
    TooManyPages,
    TruncatedFile,
    TypeMismatch,
    UnsupportedType,
    XmlDtdForbidden,
)
from inbox.errors.requests import (
    FileNotCompleted,
    FileNotFound,
    FileTooLarge,
    IdempotencyConflict,
    InvalidLabels,
    InvalidRequest,
    JobNotFound,
    JobNotOver,
    JobTooLarge,
    KeyNotFound,
    LabelSetNotFound,
    LinkExpired,
    MessageNotFound,
    NoFiles,
    NotMultipart,
    PageNotFound,
    RateLimited,
    RequestError,
    ScopeMissing,
    SubmissionInFlight,
    TooManyFiles,
    Unauthenticated,
    UnsupportedLanguage,
    UnsupportedOutput,
    UploadStalled,
    UrlRefused,
    WebhookNotFound,
)
from inbox.errors.services import (
    BlobsUnavailable,
    Busy,
    ModelAway,
    ModelUnavailable,
    NoSpace,
    StoreUnavailable,
    TransientError,
)
from inbox.errors.stops import JobCancelled, JobPostponed, LeaseLost, StopWork

__all__ = [
    "BlobCorrupt",
    "BlobMissing",
    "BlobsUnavailable",
    "BudgetExceeded",
    "Busy",
    "ConfigurationError",
    "ContainerTooLarge",
    "CorruptFile",
    "DecompressionBomb",
    "EmptyFile",
    "EncryptedFile",
    "FileNotCompleted",
    "FileNotFound",
    "FileTooLarge",
    "IdempotencyConflict",
    "InboxError",
    "InvalidLabels",
    "InvalidRequest",
    "JobCancelled",
    "JobNotFound",
    "JobNotOver",
    "JobPostponed",
    "JobTooLarge",
    "KeyNotFound",
    "LabelSetNotFound",
    "LeaseLost",
    "LinkExpired",
    "MessageNotFound",
    "MigrationsMissing",
    "ModelAnswerInvalid",
    "ModelAway",
    "ModelRefused",
    "ModelRejected",
    "ModelUnavailable",
    "NoFiles",
    "NoSpace",
    "NotMultipart",
    "NotUnpacked",
    "PageNotFound",
    "PermanentError",
    "RateLimited",
    "ReadTimeout",
    "ReaderCrashed",
    "RequestError",
    "ScopeMissing",
    "SecretKeyMissing",
    "StopWork",
    "StoreUnavailable",
    "SubmissionInFlight",
    "TooDeep",
    "TooManyEntries",
    "TooManyFiles",
    "TooManyPages",
    "TransientError",
    "TruncatedFile",
    "TypeMismatch",
    "Unauthenticated",
    "UnsupportedLanguage",
    "UnsupportedOutput",
    "UnsupportedType",
    "UploadStalled",
    "UrlRefused",
    "WebhookNotFound",
    "XmlDtdForbidden",
]
