"""Outlook messages (MSG)."""

from __future__ import annotations

import io
from typing import Any

from inbox.errors import CorruptFile, InboxError
from inbox.extract import chars, partition, plain
from inbox.extract.office import NotLoaded
from inbox.extract.options import Options
from inbox.extract.text import native_pages
from inbox.model import Page

_SHOWN = ("From", "To", "Cc", "Subject", "Date")
_HTML_BODY = 0x1013


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """One page: the headers, the body, the names of attachments.

    Raises:
        CorruptFile: the container does not open.
    """
    from oxmsg import Message

    try:
        message = Message.load(io.BytesIO(data))
        said = _say(message)
    except (NotLoaded, InboxError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - whatever the library meets in a damaged file
        raise CorruptFile("The Outlook message does not open.") from None
    return native_pages([said], options)


def _say(message: Any) -> str:
    headers = {name.title(): value for name, value in message.message_headers.items()}
    if message.sender:
        headers["From"] = message.sender
    if message.subject:
        headers["Subject"] = message.subject
    if "To" not in headers:
        headers["To"] = ", ".join(f"{one.name} <{one.email_address}>" for one in message.recipients)
    if "Date" not in headers and message.sent_date:
        headers["Date"] = message.sent_date.isoformat()
    lines = [
        f"{name}: {' '.join(str(headers[name]).split())}" for name in _SHOWN if headers.get(name)
    ]
    names = [one.file_name for one in message.attachments if one.file_name]
    if names:
        lines.append("Attachments: " + ", ".join(names))
    return "\n".join(lines) + "\n\n" + _body(message)


def _body(message: Any) -> str:
    body = message.body or ""
    if chars.printable(body):
        return str(body)
    try:
        markup = message.html_body
    except (LookupError, UnicodeError):  # an encoding that nobody knows, or a wrong one
        markup = message.properties.binary_prop_value(_HTML_BODY)
    if not markup:
        return ""
    return partition.html_text(markup if isinstance(markup, str) else plain.decode(markup))
