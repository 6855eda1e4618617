"""Mail as it travels (RFC 5322): headers, body and the names of what is attached."""

from __future__ import annotations

import email.header
import email.message
import email.parser
import email.policy
import io
import re
from collections.abc import Iterator
from typing import Any

from inbox.errors import CorruptFile
from inbox.extract import chars, partition, plain
from inbox.extract.options import Options
from inbox.extract.text import native_pages
from inbox.model import Page, PageSource

_SHOWN = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Organization")
# What a message inside another is; others that begin alike are notes of the mail system.
MESSAGES = {"message/rfc822", "message/global"}


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """One page: the headers a reader sees, the body, the names of attachments.

    A message that was sent in pieces (RFC 2046, message/partial) has an unreadable page besides:
    the rest of it is in other files. A broken charset or transfer encoding never fails the message;
    what does not decode is shown as it is.

    Raises:
        CorruptFile: it is nested thousands of times.
        TooManyPages: never for a mail, which is one page.
    """
    # Messages inside are said here only where they do not become files of their own.
    apart = options.unpack is not None and options.unpack.levels > 0
    try:
        message = parsed(data)
        said = _say(message, inner=not apart)
    except RecursionError:
        raise CorruptFile("The message is nested deeper than any real one.") from None
    pages = native_pages([said], options)
    if message.get_content_type() != "message/partial":
        return pages
    return (*pages, Page(number=len(pages) + 1, text="", source=PageSource.UNREADABLE))


def parsed(data: bytes) -> email.message.Message:
    """The message.

    Raises:
        CorruptFile: it is nested thousands of times.
    """
    body = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t").removeprefix(b">")
    # compat32: the newer policy raises on headers that real mail is full of.
    parser = email.parser.BytesParser(policy=email.policy.compat32)
    try:
        return parser.parse(io.BytesIO(body))
    except RecursionError:
        raise CorruptFile("The message is nested deeper than any real one.") from None


def _say(message: email.message.Message, *, inner: bool) -> str:
    """What it says; then what the messages inside it say, where they are wanted."""
    said: list[str] = []
    pending = [message]
    while pending:
        one = pending.pop()
        said.append(_letter(one))
        if inner:
            pending.extend(reversed(_inside(one)))
    return "\n\n".join(said)


def _letter(message: email.message.Message) -> str:
    headers = [f"{name}: {value}" for name, value in _headers(message)]
    attached = [name for part in leaves(message) if (name := attachment_name(part))]
    if attached:
        headers.append("Attachments: " + ", ".join(attached))
    return "\n\n".join(filter(None, ["\n".join(headers), *_bodies(message)]))


def _inside(message: email.message.Message) -> list[email.message.Message]:
    """The messages inside this one, but not those inside them."""
    found: list[email.message.Message] = []
    for part in leaves(message):
        within: Any = part.get_payload()
        if part.get_content_maintype() == "message" and isinstance(within, list):
            found += within
    return found


def _headers(message: email.message.Message) -> Iterator[tuple[str, str]]:
    for name in _SHOWN:
        for raw in message.get_all(name, []):
            value = decode_header(raw)
            if value:
                yield name, value


def decode_header(raw: object) -> str:
    """A header as a person reads it, whatever its encoding."""
    text = re.sub(r"\s*\r?\n\s*", " ", str(raw))
    try:
        parts = email.header.decode_header(text)
    except (ValueError, TypeError, LookupError):
        return text.strip()
    said = ""
    for part, charset in parts:
        said += part if isinstance(part, str) else _decode(part, charset)
    # Bytes over 127 that stood bare in the header come back as surrogates.
    return _unescape(" ".join(said.split()))


def _unescape(text: str) -> str:
    if not any("\udc80" <= char <= "\udcff" for char in text):
        return text
    return plain.decode(text.encode("utf-8", "surrogateescape"))


def _decode(data: bytes, charset: str | None) -> str:
    if charset and charset.lower() not in {"unknown-8bit", "us-ascii", "ascii"}:
        try:
            return data.decode(charset, "replace")
        except (LookupError, ValueError):
            pass
    return plain.decode(data)


def leaves(message: email.message.Message) -> Iterator[email.message.Message]:
    """The parts of this message, but not those of a message inside it."""
    pending: list[Any] = [message]
    while pending:
        part = pending.pop()
        content = part.get_payload()
        # A multipart whose boundary is missing or wrong has text for a payload.
        inner = part.get_content_maintype() == "message" and (
            part is not message or part.get_content_type() in MESSAGES
        )
        if isinstance(content, list) and not inner:
            pending.extend(reversed(content))
        else:
            yield part


def attachment_name(part: email.message.Message) -> str:
    """What an attachment is called; "" where the part is none."""
    try:
        name = part.get_filename() or ""
    except (ValueError, TypeError, LookupError):
        name = ""
    name = decode_header(name)
    if not name and "attachment" in str(part.get("Content-Disposition", "")).lower():
        name = f"({part.get_content_type()})"
    return name


def _bodies(message: email.message.Message) -> list[str]:
    """Plain parts as they are; HTML only where there is no plain text."""
    texts = [part for part in leaves(message) if is_body(part)]
    plain_parts = [part for part in texts if part.get_content_subtype() != "html"]
    said = [_content(part) for part in plain_parts]
    if sum(map(chars.printable, said)) == 0:
        said = [_web_content(part) for part in texts if part.get_content_subtype() == "html"]
    return said


def is_body(part: email.message.Message) -> bool:
    """Whether the part is the letter itself, or one form of it."""
    if part.get_content_disposition() == "attachment":
        return False
    if part.get_content_maintype() == "multipart":
        return isinstance(part.get_payload(), str)
    return part.get_content_maintype() == "text" and part.get_content_subtype() in {
        "plain", "html", "enriched", "x-markdown", "markdown", "rfc822-headers",
    }  # fmt: skip


def _content(part: email.message.Message) -> str:
    try:
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        data = None
    if not isinstance(data, bytes):
        return _unescape(str(part.get_payload() or ""))
    try:
        charset = part.get_content_charset()
    except (ValueError, LookupError, TypeError):
        charset = None
    return chars.clean(_decode(data, charset))


def _web_content(part: email.message.Message) -> str:
    return partition.html_text(_content(part))
