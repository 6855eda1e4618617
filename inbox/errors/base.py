"""The root of the tree."""

from __future__ import annotations

from typing import ClassVar


class InboxError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        code: stable, lower-case identifier that clients may compare with.
        retry: whether the same call may succeed later with nothing changed.
    """

    code: ClassVar[str] = "internal"
    retry: ClassVar[bool] = False
