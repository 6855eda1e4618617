"""What an error of the database means, by its SQLSTATE, on any transport."""

from __future__ import annotations

from inbox.errors import (
    FileNotCompleted,
    FileNotFound,
    FileTooLarge,
    IdempotencyConflict,
    InboxError,
    InvalidLabels,
    InvalidRequest,
    JobTooLarge,
    MigrationsMissing,
    NoFiles,
    StoreUnavailable,
    TooManyFiles,
)

UNDEFINED = {"42883", "42P01", "3F000"}  # function, table, schema
REFUSED = "22023"  # raised by our functions, with one of these codes as its detail
REFUSALS: dict[str, type[InboxError]] = {
    "file_too_large": FileTooLarge,
    "invalid_labels": InvalidLabels,
    "file_not_found": FileNotFound,
    "file_not_completed": FileNotCompleted,
    "no_files": NoFiles,
    "too_many_files": TooManyFiles,
    "job_too_large": JobTooLarge,
    "idempotency_conflict": IdempotencyConflict,
}
NUL_IN_TEXT = "22P05"
# Connection, rollback, resources, lock, intervention, system: as psycopg's OperationalError.
PASSING = ("08", "40", "53", "55", "57", "58")
MIGRATE = "the database has no tables or functions of this version; run: inbox migrate"


def refusal(sqlstate: str, message: str, detail: str) -> InboxError:
    """The error to raise for an error of the database.

    Only messages that our own functions wrote are passed on: others may hold values of rows.

    Args:
        sqlstate: five characters.
        message: the first line of the error.
        detail: its detail.
    """
    if sqlstate in UNDEFINED:
        return MigrationsMissing(MIGRATE)
    if sqlstate == REFUSED:
        return REFUSALS.get(detail, InvalidRequest)(message)
    if sqlstate == NUL_IN_TEXT:
        return InvalidRequest("a text holds NUL, which cannot be stored")
    if sqlstate.startswith(PASSING):
        return StoreUnavailable(f"the database could not do this now (SQLSTATE {sqlstate})")
    return InboxError(f"the database refused the call (SQLSTATE {sqlstate})")
