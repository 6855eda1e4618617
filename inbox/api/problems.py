"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from inbox import errors
from inbox.api.linger import LingeringResponse, body_is_unread
from inbox.errors import InboxError

RETRY_AFTER_SECONDS = 5
REFERENCE = "#/components/schemas/{model}"
MEDIA_TYPE = "application/problem+json"
CLIENT_CLOSED_REQUEST = 499
STATUSES: Mapping[type[InboxError], int] = {
    errors.JobNotFound: HTTPStatus.NOT_FOUND,
    errors.PageNotFound: HTTPStatus.NOT_FOUND,
    errors.LabelSetNotFound: HTTPStatus.NOT_FOUND,
    errors.FileNotFound: HTTPStatus.NOT_FOUND,
    errors.WebhookNotFound: HTTPStatus.NOT_FOUND,
    errors.MessageNotFound: HTTPStatus.NOT_FOUND,
    errors.KeyNotFound: HTTPStatus.NOT_FOUND,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.ScopeMissing: HTTPStatus.FORBIDDEN,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.FileTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.JobTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyFiles: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NotMultipart: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UploadStalled: HTTPStatus.REQUEST_TIMEOUT,
    errors.JobNotOver: HTTPStatus.CONFLICT,
    errors.FileNotCompleted: HTTPStatus.CONFLICT,
    errors.LinkExpired: HTTPStatus.GONE,
    errors.PermanentError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SubmissionInFlight: HTTPStatus.CONFLICT,
    errors.RequestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NoSpace: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConfigurationError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SecretKeyMissing: HTTPStatus.UNPROCESSABLE_ENTITY,
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
    errors.Busy: "More is asked for at once than can be done; try again shortly.",
    errors.NoSpace: "There is no room left for documents on the server.",
    errors.MigrationsMissing: "The database is not set up for this version.",
    errors.ConfigurationError: "The service is not configured correctly.",
    errors.SecretKeyMissing: "This service takes no passwords and makes no links: it has no "
    "INBOX_SECRET_KEY.",
    InboxError: "Something went wrong on our side.",
}
log = logging.getLogger(__name__)


class ProblemItem(BaseModel):
    """One of several things that are wrong, or the file that is."""

    detail: str
    code: str
    file: int | None = Field(None, description="Which file of the request, counted from 1.")
    field: str | None = Field(None, description="Which field or parameter.")


class ProblemDetails(BaseModel):
    """What is wrong with a request, after RFC 9457."""

    type: str = Field(description="Stable reference of the kind of problem.")
    title: str
    status: int
    detail: str = Field(description="One sentence for people.")
    code: str = Field(description="Stable identifier for programs.")
    errors: list[ProblemItem] = Field(
        default=[], description="What is wrong with which file or field, where that can be told."
    )


def problem(
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    items: Sequence[ProblemItem] = (),
) -> Response:
    """A problem document as a response."""
    document = _details(status, code, detail).model_copy(update={"errors": list(items)})
    return Response(
        document.model_dump_json(exclude_none=True),
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
                    MEDIA_TYPE: {
                        "schema": {"$ref": REFERENCE.format(model="ProblemDetails")},
                        "examples": {},
                    }
                },
            },
        )
        entry["content"][MEDIA_TYPE]["examples"][kind.code] = {
            "value": _details(status, kind.code, _example(kind, status)).model_dump()
        }
    return found


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document, and describe what that is."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        described = plain()
        schema = ProblemDetails.model_json_schema(ref_template=REFERENCE)
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(schema.pop("$defs", {}))
        schemas["ProblemDetails"] = schema
        return described

    app.openapi = openapi  # type: ignore[method-assign]
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
    answer = problem(status, error.code, detail, _headers(error), _items(error))
    return LingeringResponse(answer) if body_is_unread(request) else answer


def _headers(error: InboxError) -> dict[str, str]:
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="document-inbox"'}
    if isinstance(error, errors.RateLimited):
        return {"Retry-After": str(error.after)}
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.retry else {}


def _items(error: InboxError) -> list[ProblemItem]:
    if isinstance(error, errors.FileTooLarge) and error.file is not None:
        return [ProblemItem(detail=str(error), code=error.code, file=error.file)]
    return []


def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    code = errors.InvalidRequest.code
    items = [
        ProblemItem(detail=each["msg"], code=code, field=".".join(map(str, each["loc"][1:])))
        for each in error.errors()
    ]
    wrong = "; ".join(f"{item.field}: {item.detail}" for item in items)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, code, wrong, items=items)


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's, for a body that is not JSON
        return problem(422, errors.InvalidRequest.code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    code = HTTPStatus(error.status_code).name.lower()
    return problem(error.status_code, code, str(error.detail), headers)


def _allowed(request: Request) -> list[str]:
    """The methods of a path: each has a route of its own, which knows of no other."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE:
            found |= route.methods or set()
    return sorted(found)


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


def _example(kind: type[InboxError], status: int) -> str:
    """What such an error may say: in its own words where they are for strangers."""
    told = _sentence(kind) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
    return told or (kind.__doc__ or "").splitlines()[0]
