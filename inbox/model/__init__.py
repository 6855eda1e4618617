"""The nouns.

Frozen values: what SQL returns, what the steps hand on and what HTTP shows.
"""

from __future__ import annotations

from inbox.model.documents import Document, Page, PageSource
from inbox.model.findings import (
    Alternative,
    Classification,
    Cost,
    Evidence,
    FieldFound,
    FieldWanted,
    FileDetails,
    Label,
    Split,
)
from inbox.model.submissions import JobOptions, Order, Reservation, ReservationState, Upload
from inbox.model.values import Blob, Fraction, Problem, Row, Value
from inbox.model.views import (
    FileResult,
    FileStatus,
    Health,
    Job,
    JobResult,
    JobStatus,
    JobSummary,
    Source,
    Stuck,
)
from inbox.model.work import Child, File, Heartbeat, Lease, Pending

__all__ = [
    "Alternative",
    "Blob",
    "Child",
    "Classification",
    "Cost",
    "Document",
    "Evidence",
    "FieldFound",
    "FieldWanted",
    "File",
    "FileDetails",
    "FileResult",
    "FileStatus",
    "Fraction",
    "Health",
    "Heartbeat",
    "Job",
    "JobOptions",
    "JobResult",
    "JobStatus",
    "JobSummary",
    "Label",
    "Lease",
    "Order",
    "Page",
    "PageSource",
    "Pending",
    "Problem",
    "Reservation",
    "ReservationState",
    "Row",
    "Source",
    "Split",
    "Stuck",
    "Upload",
    "Value",
]
