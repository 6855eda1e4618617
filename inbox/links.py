"""Links that open one file in one form for some minutes, for whoever has them.

A link's token says what it opens and until when, and carries an HMAC-SHA256 (RFC 2104) of that
under a key derived from the installation's secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import NamedTuple
from uuid import UUID

from inbox.errors import ConfigurationError, LinkExpired
from inbox.sealing import derived_keys
from inbox.settings import Settings

PURPOSE = b"document-inbox download links"
DIGEST_BYTES = 32
HEAD = struct.Struct(">16s16sQ")


class Link(NamedTuple):
    """What a link opens; `until` is in seconds since 1970."""

    job_id: UUID
    file_id: UUID
    until: int
    output: str


def token_of(settings: Settings, link: Link) -> str:
    """The token of a link; URL-safe ASCII.

    Raises:
        ConfigurationError: there is no key to sign it with.
    """
    said = HEAD.pack(link.job_id.bytes, link.file_id.bytes, link.until) + link.output.encode()
    key = derived_keys(settings, PURPOSE, make=True)[0]
    signed = hmac.digest(key, said, hashlib.sha256) + said
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def link_of(settings: Settings, token: str, now: float) -> Link:
    """What a token opens.

    Args:
        settings: where the key is.
        token: as `token_of` made it.
        now: seconds since 1970.

    Raises:
        LinkExpired: its time is over, or it was not made here.
    """
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        data = b""
    digest, said = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    try:
        keys = derived_keys(settings, PURPOSE, make=True)
    except ConfigurationError:  # so none was made here
        keys = []
    good = any(hmac.compare_digest(hmac.digest(key, said, hashlib.sha256), digest) for key in keys)
    if not good or len(said) < HEAD.size:
        raise LinkExpired("this link is not valid here; ask for a new one")
    job, file, until = HEAD.unpack(said[: HEAD.size])
    if until <= now:
        raise LinkExpired("this link has expired; ask for a new one")
    return Link(UUID(bytes=job), UUID(bytes=file), until, said[HEAD.size :].decode())
