"""What people say about labels: lists stored under a name, and corrections."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from inbox.model import File, Fraction, Label, Row


class LabelSet(Row):
    """A list of labels that is stored under a name."""

    name: str
    labels: tuple[Label, ...]
    created_at: datetime
    updated_at: datetime


class Correction(Row):
    """What a person said of a file.

    Attributes:
        label: what it is; None where an earlier correction was taken back.
        previous: what it was taken for before.
    """

    file_id: UUID
    number: int
    label: str | None
    previous: str | None = None
    corrected_by: str
    corrected_at: datetime


class CorrectedFile(Row):
    """A file whose label a person corrected or confirmed, to learn from.

    Attributes:
        label: what the classifier said.
        corrected_label: what the person said.
        excerpt: the beginning of its text; None where it was not kept yet.
    """

    file: File
    label: str | None = None
    confidence: Fraction | None = None
    corrected_label: str
    corrected_by: str
    corrected_at: datetime
    excerpt: str | None = Field(default=None, repr=False)
