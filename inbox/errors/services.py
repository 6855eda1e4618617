"""The world is the problem: the same call may succeed later."""

from __future__ import annotations

from inbox.errors.base import InboxError


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
