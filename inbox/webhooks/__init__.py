"""Webhooks by the Standard Webhooks specification 1.0: signed, retried, guarded."""

from __future__ import annotations

from inbox.webhooks.courier import Courier, Office
from inbox.webhooks.guard import check_url, resolve
from inbox.webhooks.sign import headers_of, new_secret

__all__ = ["Courier", "Office", "check_url", "headers_of", "new_secret", "resolve"]
