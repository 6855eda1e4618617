"""Documents in; text, labels and evidence out.

`Inbox` is the one door: the API, the command line and the Prefect tasks all go through it.
Nothing in this package knows that Prefect exists. Names load when they are first used, so that
a reading process does not carry a database driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inbox.errors import (
        ConfigurationError,
        InboxError,
        LeaseLost,
        PermanentError,
        RequestError,
        StopWork,
        TransientError,
    )
    from inbox.model import (
        Classification,
        Document,
        File,
        FileStatus,
        Job,
        JobStatus,
        Label,
        Lease,
        Pending,
        Upload,
    )
    from inbox.service import PATIENCE_OF_A_WORKER, Inbox
    from inbox.settings import Settings

__all__ = [
    "PATIENCE_OF_A_WORKER",
    "Classification",
    "ConfigurationError",
    "Document",
    "File",
    "FileStatus",
    "Inbox",
    "InboxError",
    "Job",
    "JobStatus",
    "Label",
    "Lease",
    "LeaseLost",
    "Pending",
    "PermanentError",
    "RequestError",
    "Settings",
    "StopWork",
    "TransientError",
    "Upload",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in ("model", "errors", "settings", "service"):
            found = getattr(import_module(f"inbox.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
