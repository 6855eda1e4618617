"""SQL functions through a Supabase project's HTTP API."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import httpx
from pydantic_core import to_jsonable_python

from inbox.errors import ConfigurationError, InboxError, MigrationsMissing, StoreUnavailable
from inbox.project import HTTP_PAUSED, KEY_HINT, PAUSED, Project, connect, open_http, why_away
from inbox.store.refusals import MIGRATE, refusal

READ_SECONDS = 10  # a call that takes longer is stuck; it is repeated
SQLSTATE_LENGTH = 5
NOT_UNDERSTOOD = "the address in SUPABASE_URL does not answer as a Supabase project does"
NO_DATABASE = "the Supabase project's database does not answer"
STALE = f"{MIGRATE} (already done? run this SQL: notify pgrst, 'reload schema')"
WRONG_KEY = f"the Supabase project does not accept the key: {KEY_HINT}"
BY_CODE: dict[str, tuple[type[InboxError], str]] = {
    **dict.fromkeys(
        ("PGRST000", "PGRST001", "PGRST002", "PGRST003"), (StoreUnavailable, NO_DATABASE)
    ),
    **dict.fromkeys(("PGRST106", "PGRST202", "PGRST205"), (MigrationsMissing, STALE)),
    **dict.fromkeys(
        ("PGRST300", "PGRST301", "PGRST302", "PGRST303"), (ConfigurationError, WRONG_KEY)
    ),
    "42501": (ConfigurationError, f"the Supabase key may not call the functions: {KEY_HINT}"),
}
BY_STATUS: dict[int, tuple[type[InboxError], str]] = {
    401: (ConfigurationError, WRONG_KEY),
    429: (StoreUnavailable, "the Supabase project answers with status 429: too many requests"),
    HTTP_PAUSED: (StoreUnavailable, PAUSED),
}


class SupabaseTransport:
    """Calls functions with supabase-py; safe for several threads.

    Args:
        project: where, and with which key.
        connections: most connections to hold.
    """

    def __init__(self, project: Project, connections: int) -> None:
        self._url = project.url
        self._http = open_http(connections, read_seconds=READ_SECONDS)
        # supabase-py drops the status of an answer that it cannot parse, and takes any 200 for
        # an answer, so both are looked at before it does.
        self._http.event_hooks = {"response": [_check]}
        self._client = connect(project, self._http)

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """Call a function; see `inbox.store.store.Transport`."""
        try:
            return self._client.rpc(function, to_jsonable_python(arguments)).execute().data
        except httpx.InvalidURL:
            raise ConfigurationError("SUPABASE_URL is not an address") from None
        except httpx.HTTPError as failure:
            raise StoreUnavailable(why_away(self._url, failure)) from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _check(response: httpx.Response) -> None:
    if response.is_success:
        kind = response.headers.get("content-type", "application/json")
        if not kind.startswith("application/json"):
            raise StoreUnavailable(NOT_UNDERSTOOD)
        return
    response.read()
    fields: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        parsed = json.loads(response.content)
        fields = parsed if isinstance(parsed, dict) else {}
    code, message, detail = (str(fields.get(name) or "") for name in ("code", "message", "details"))
    raise _failure(response.status_code, code, message, detail)


def _failure(status: int, code: str, message: str, detail: str) -> InboxError:
    """What to raise for an answer: by its code where it bears one, else by its status."""
    if code in BY_CODE:
        kind, sentence = BY_CODE[code]
        return kind(sentence)
    if status not in BY_STATUS and len(code) == SQLSTATE_LENGTH:
        return refusal(code, message, detail)
    if status in BY_STATUS:
        kind, sentence = BY_STATUS[status]
        return kind(sentence)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return StoreUnavailable(f"the Supabase project answers with status {status}")
    return ConfigurationError(f"{NOT_UNDERSTOOD} (status {status})")
