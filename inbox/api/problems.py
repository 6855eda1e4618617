"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from inbox import errors
from inbox.api.linger import LingeringResponse, body_is_unread
from inbox.errors import InboxError

RETRY_AFTER_SECONDS = 5
MEDIA_TYPE = "application/problem+json"
CLIENT_CLOSED_REQUEST = 499
STATUSES: Mapping[type[InboxError], int] = {
    errors.JobNotFound: HTTPStatus.NOT_FOUND,
    errors.FileNotFound: HTTPStatus.NOT_FOUND,
    errors.LabelSetNotFound: HTTPStatus.NOT_FOUND,
    errors.FileNotCompleted: HTTPStatus.CONFLICT,
    errors.FileTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.JobTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyFiles: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NotMultipart: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UploadStalled: HTTPStatus.REQUEST_TIMEOUT,
    errors.JobNotOver: HTTPStatus.CONFLICT,
    errors.SubmissionInFlight: HTTPStatus.CONFLICT,
    errors.RequestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NoSpace: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConfigurationError: HTTPStatus.SERVICE_UNAVAILABLE,
    InboxError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request cannot be used",
}
# What a stranger is told in place of a message that describes our inside.
SENTENCES: Mapping[type[InboxError], str] = {
    errors.StoreUnavailable: "The database does not answer at the moment; try again shortly.",
    errors.BlobsUnavailable: "The blob store does not answer at the moment; try again shortly.",
    errors.NoSpace: "There is no room left for documents on the server.",
    errors.MigrationsMissing: "The database is not set up for this version.",
    errors.ConfigurationError: "The service is not configured correctly.",
    InboxError: "Something went wrong on our side.",
}
log = logging.getLogger(__name__)


class ProblemDetails(BaseModel):
    """What is wrong with a request, after RFC 9457."""

    type: str = Field(description="Stable reference of the kind of problem.")
    title: str
    status: int
    detail: str = Field(description="One sentence for people.")
    code: str = Field(description="Stable identifier for programs.")


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem document as a response."""
    return Response(
        _details(status, code, detail).model_dump_json(),
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def status_of(kind: type[InboxError]) -> int:
    """The HTTP status for a class of errors: its own or that of its nearest ancestor."""
    return next(STATUSES[each] for each in kind.__mro__ if each in STATUSES)


def responses(*kinds: type[InboxError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of these errors, with an example each."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status = status_of(kind)
        entry = found.setdefault(
            status,
            {
                "description": _title(status),
                "content": {
                    MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema(), "examples": {}}
                },
            },
        )
        entry["content"][MEDIA_TYPE]["examples"][kind.code] = {
            "value": _details(status, kind.code, _sentence(kind) or _first_line(kind)).model_dump()
        }
    return found


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(InboxError, _on_inbox_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_unforeseen)


def _on_inbox_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InboxError)  # noqa: S101  (Starlette chose us by the class)
    status = status_of(type(error))
    detail = str(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s: %s", error.code, error)
        detail = _sentence(type(error)) or SENTENCES[InboxError]
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.retry else {}
    answer = problem(status, error.code, detail, retry)
    return LingeringResponse(answer) if body_is_unread(request) else answer


def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    wrong = "; ".join(
        f"{'.'.join(str(step) for step in each['loc'])}: {each['msg']}" for each in error.errors()
    )
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, errors.InvalidRequest.code, wrong)


def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = HTTPStatus(error.status_code).name.lower()
    return problem(error.status_code, code, str(error.detail), error.headers)


def _on_disconnect(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)  # nobody is there to read it


def _on_unforeseen(_request: Request, _error: Exception) -> Response:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, InboxError.code, SENTENCES[InboxError])


def _details(status: int, code: str, detail: str) -> ProblemDetails:
    return ProblemDetails(
        type=f"/problems/{code}", title=_title(status), status=status, detail=detail, code=code
    )


def _title(status: int) -> str:
    known = HTTPStatus(status)
    return TITLES.get(known, known.phrase)


def _sentence(kind: type[InboxError]) -> str | None:
    return next((SENTENCES[each] for each in kind.__mro__[:-1] if each in SENTENCES), None)


def _first_line(kind: type[InboxError]) -> str:
    return (kind.__doc__ or "").splitlines()[0]
