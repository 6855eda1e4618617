"""What every noun is: frozen."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]


class Value(BaseModel):
    """A frozen value; unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Value):
    """A value out of the database, which may be ahead of this program and say more."""

    model_config = ConfigDict(extra="ignore")


class Problem(Value):
    """An error as the world sees it."""

    code: str
    message: str


class Blob(Value):
    """Bytes in the blob store.

    Attributes:
        key: where they are.
        sha256: lower-case hex digest; None where nobody has computed it yet.
        size: in bytes; None where unknown.
    """

    key: str
    sha256: str | None = None
    size: int | None = None
