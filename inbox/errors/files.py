"""The file is the problem: record it, go on with the others."""

from __future__ import annotations

from inbox.errors.base import InboxError


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
