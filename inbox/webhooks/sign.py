"""Signing, by the Standard Webhooks specification 1.0."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from uuid import UUID

SECRET_BYTES = 32


def new_secret() -> str:
    """A signing secret in the form that the specification's libraries take."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers_of(
    message_id: UUID, secret: str, body: bytes, now: datetime | None = None
) -> dict[str, str]:
    """The headers of one attempt: the message's id, which stays, the time and the signature.

    Args:
        message_id: of the message.
        secret: the webhook's.
        body: what is sent, byte for byte.
        now: when it is sent.
    """
    from standardwebhooks import Webhook

    at = now or datetime.now(UTC)
    identity = f"msg_{message_id.hex}"
    return {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(identity, at, body.decode()),
    }
