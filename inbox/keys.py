"""API keys: how they are made and recognised. Only their digests are ever stored."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "inbox_"
HINT_CHARACTERS = 12


def new_key() -> str:
    """A key of 256 random bits, which no guessing finds: a plain digest is enough to keep it."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256 as lower-case hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def hint(key: str) -> str:
    """How a key begins, for people to tell it from others."""
    return key[:HINT_CHARACTERS]
