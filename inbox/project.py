"""A Supabase project: where it is, which key opens it, and how to reach it."""

from __future__ import annotations

import base64
import binascii
import json
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from inbox.errors import ConfigurationError
from inbox.settings import Settings

if TYPE_CHECKING:
    import httpx
    from supabase import Client

HTTP_PAUSED = 540
KEY_HINT = (
    "set SUPABASE_SECRET_KEY to the project's secret key (Project Settings, API Keys: sb_secret_…)"
)
PAUSED = (
    "the Supabase project is paused or does not exist: restore it in the dashboard, "
    "or correct SUPABASE_URL"
)


class KeyKind(StrEnum):
    """What a key is, told by its looks."""

    SECRET = "secret"  # noqa: S105
    PUBLISHABLE = "publishable"
    SERVICE_ROLE = "service_role"  # the older kind: a signed token
    ANON = "anon"
    USER = "user"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Project:
    """A Supabase project and the key to all of its rows.

    Attributes:
        url: without a slash at its end.
        key: secret.
        kind: SECRET or SERVICE_ROLE.
    """

    url: str
    key: str = field(repr=False)
    kind: KeyKind


def open_project(settings: Settings) -> Project:
    """The project that the settings name.

    Raises:
        ConfigurationError: the URL is not one, or the key is missing or of the wrong kind.
    """
    url = (settings.supabase_url or "").rstrip("/")
    scheme, _, host = url.partition("://")
    if scheme not in {"http", "https"} or not host:
        raise ConfigurationError(
            "SUPABASE_URL must be the project's address, like https://abc.supabase.co"
        )
    if settings.supabase_secret_key is None:
        raise ConfigurationError(f"SUPABASE_URL is set without a key: {KEY_HINT}")
    key = settings.supabase_secret_key.get_secret_value().strip()
    kind = key_kind(key)
    if kind in {KeyKind.PUBLISHABLE, KeyKind.ANON, KeyKind.USER}:
        raise ConfigurationError(
            f"the Supabase key is a key for browsers ({kind}), which sees no queue: {KEY_HINT}"
        )
    if kind == KeyKind.EXPIRED:
        raise ConfigurationError(f"the Supabase key has expired: {KEY_HINT}")
    if kind == KeyKind.UNKNOWN:
        raise ConfigurationError(f"the Supabase key is neither sb_secret_… nor a token: {KEY_HINT}")
    return Project(url=url, key=key, kind=kind)


def key_kind(key: str) -> KeyKind:
    """What kind of key this is; its signature is the project's to check."""
    if key.startswith("sb_secret_"):
        return KeyKind.SECRET
    if key.startswith("sb_publishable_"):
        return KeyKind.PUBLISHABLE
    try:
        _, payload, _ = key.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        role = claims["role"]
        expired = float(claims.get("exp", "inf")) <= time.time()
    except (ValueError, binascii.Error, KeyError, TypeError):
        return KeyKind.UNKNOWN
    if role not in {"service_role", "anon"}:
        return KeyKind.USER
    if expired:
        return KeyKind.EXPIRED
    return KeyKind(role)


def open_http(connections: int, *, read_seconds: float) -> httpx.Client:
    """Connections to a project.

    They speak HTTP/1.1: over HTTP/2, calls from several threads fail now and then.

    Args:
        connections: most to hold.
        read_seconds: longest wait for more of an answer.
    """
    import httpx

    return httpx.Client(
        http2=False,
        timeout=httpx.Timeout(read_seconds, connect=5, pool=5),
        limits=httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30,
        ),
        follow_redirects=False,
    )


def connect(project: Project, http: httpx.Client) -> Client:
    """The project's client over these connections."""
    from supabase import ClientOptions, create_client

    options = ClientOptions(
        httpx_client=http,
        auto_refresh_token=False,
        persist_session=False,
        postgrest_client_retry=False,
    )
    return create_client(project.url, project.key, options)


def why_away(url: str, failure: Exception) -> str:
    """Why a project gave no answer, as a sentence without its address."""
    text = str(failure).lower()
    unknown = ("name or service not known", "no address", "nodename", "name resolution")
    if url.endswith((".supabase.co", ".supabase.in")) and any(part in text for part in unknown):
        return PAUSED
    return f"the Supabase project does not answer: {type(failure).__name__}"
