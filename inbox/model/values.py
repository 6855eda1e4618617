"""What every noun is: frozen."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from inbox.errors import InboxError

Fraction = Annotated[float, Field(ge=0, le=1)]


class Value(BaseModel):
    """A frozen value; unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Value):
    """A value out of the database, which may be ahead of this program and say more."""

    model_config = ConfigDict(extra="ignore")


class Problem(Row):
    """An error as the world sees it."""

    code: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """An error as it is written to the rows; an unforeseen one without its message."""
        if isinstance(error, InboxError):
            return cls(code=error.code, message=str(error))
        return cls(code="internal", message=f"unforeseen {type(error).__name__}")


class Blob(Row):
    """Bytes in the blob store.

    Attributes:
        key: where they are.
        sha256: lower-case hex digest; None where nobody has computed it yet.
        size: in bytes; None where unknown.
    """

    key: str
    sha256: str | None = None
    size: int | None = None
