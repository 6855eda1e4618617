"""Access tokens of a Supabase project's users.

A secret checks HS256 tokens and nothing else, public keys check RS256, ES256 and EdDSA tokens and
nothing else, so that no token chooses how it is checked.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import jwt

from inbox.settings import Settings

AUDIENCE = "authenticated"
LEEWAY_SECONDS = 10
REFRESH_SECONDS = 30.0  # an unknown key id makes us look for new keys at most this often
FETCH_SECONDS = 5
ASYMMETRIC = ("RS256", "ES256", "EdDSA")
MAX_CHARACTERS = 200


class Tokens:
    """Checks tokens; safe for several threads.

    Args:
        settings: with a secret, or an address of public keys.
    """

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret and settings.jwt_secret.get_secret_value()
        self._keys = (
            None
            if settings.jwks_url is None
            else jwt.PyJWKClient(settings.jwks_url, timeout=FETCH_SECONDS)
        )
        self._lock = threading.Lock()
        self._refreshed = -REFRESH_SECONDS

    def user(self, token: str) -> str | None:
        """The id of the user whose token this is; None where it is not good."""
        try:
            claims = self._claims(token)
        except jwt.PyJWTError:
            return None
        subject = claims.get("sub")
        return subject if isinstance(subject, str) and 0 < len(subject) <= MAX_CHARACTERS else None

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") == "HS256" and self._secret is not None:
            return _decode(token, self._secret, ("HS256",))
        return _decode(token, self._public_key(header.get("kid")), ASYMMETRIC)

    def _public_key(self, kid: object) -> Any:
        if self._keys is None or not isinstance(kid, str):
            raise jwt.InvalidTokenError("no key for this token")
        with self._lock:
            found = self._find(kid)
            if found is None and time.monotonic() - self._refreshed >= REFRESH_SECONDS:
                self._refreshed = time.monotonic()
                self._keys.get_jwk_set(refresh=True)
                found = self._find(kid)
        if found is None:
            raise jwt.InvalidTokenError("no key for this token")
        return found

    def _find(self, kid: str) -> Any:
        assert self._keys is not None  # noqa: S101
        return next(
            (each.key for each in self._keys.get_signing_keys() if each.key_id == kid), None
        )


def _decode(token: str, key: Any, algorithms: tuple[str, ...]) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=list(algorithms),
        audience=AUDIENCE,
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "sub"]},
    )
    return claims
