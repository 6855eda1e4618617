"""Outlook messages: what is attached, and messages inside messages."""

from __future__ import annotations

import email.message
import email.policy
import hashlib
import io
from collections.abc import Iterator
from typing import Any

from inbox.errors import CorruptFile, TooDeep
from inbox.extract.containers import Entry
from inbox.extract.containers.mails import DECORATION_BYTES
from inbox.extract.options import Options

_ATTACH_METHOD, _CONTENT_ID, _SHORT_NAME, _SHOWN_NAME = 0x3705, 0x3712, 0x3704, 0x3001
_EMBEDDED = 5  # a message, kept as a folder of the compound file ([MS-OXMSG] 2.2.2.1)
_FOLDER = "__substg1.0_3701000D"
_EMBEDDED_HEADER = 24  # bytes before the properties of an embedded message ([MS-OXMSG] 2.4.1.2)
_MAX_DEPTH = 10


def count(data: bytes, _: Options) -> int:
    """How many files are attached.

    Raises:
        CorruptFile: the container does not open.
    """
    return len(_attached(_loaded(data)))


def entries(data: bytes, _: Options) -> Iterator[Entry]:
    """What is attached, in order.

    Raises:
        CorruptFile: the container does not open.
    """
    for number, one in enumerate(_attached(_loaded(data)), start=1):
        yield Entry(_name(one, number), lambda one=one: [_content(one)])  # type: ignore[misc]


def _loaded(data: bytes) -> Any:
    from oxmsg import Message

    try:
        return Message.load(io.BytesIO(data))
    except Exception:  # noqa: BLE001 - whatever the library meets in a damaged file
        raise CorruptFile("The Outlook message does not open.") from None


def _attached(message: Any) -> list[Any]:
    try:
        return [one for one in message.attachments if not _is_decoration(one)]
    except Exception:  # noqa: BLE001 - as above
        raise CorruptFile("The attachments of the Outlook message do not open.") from None


def _is_decoration(one: Any) -> bool:
    named = one.properties.str_prop_value(_CONTENT_ID)
    kind = str(one.mime_type or "")
    return bool(named) and kind.startswith("image/") and 0 < one.size < DECORATION_BYTES


def _folder(one: Any) -> Any:
    """Where an embedded message is; None where the attachment is none."""
    if one.properties.int_prop_value(_ATTACH_METHOD) != _EMBEDDED:
        return None
    return next((each for each in one._storage.storages if each.name == _FOLDER), None)  # noqa: SLF001


def _name(one: Any, number: int) -> str:
    said = one.file_name or one.properties.str_prop_value(_SHORT_NAME)
    if _folder(one) is not None:
        shown = said or one.properties.str_prop_value(_SHOWN_NAME) or f"message {number}"
        return f"{str(shown).removesuffix('.msg')[:100]}.eml"
    return str(said or f"attachment {number}")


def _content(one: Any) -> bytes:
    folder = _folder(one)
    if folder is not None:
        return as_mail(folder, 1).as_bytes()
    data = one.file_bytes
    if data is None:
        raise CorruptFile("The attachment is only named in the message, and not part of it.")
    return bytes(data)


def as_mail(folder: Any, depth: int) -> email.message.EmailMessage:
    """An embedded message as mail, as it has no file form of its own; each time the same bytes.

    Raises:
        TooDeep: it is nested deeper than any real one.
    """
    if depth > _MAX_DEPTH:
        raise TooDeep("The message is nested deeper than any real one.")
    message = _embedded(folder)
    made = email.message.EmailMessage(policy=email.policy.SMTP.clone(refold_source="none"))
    for name, value in _headers(message):
        made[name] = " ".join(str(value).replace("\0", " ").split())
    made.set_content((message.body or "").replace("\0", ""))
    if message.html_body:
        made.add_alternative(message.html_body.replace("\0", ""), subtype="html")
    for number, one in enumerate(_attached(message), start=1):
        inner = _folder(one)
        if inner is not None:
            made.add_attachment(as_mail(inner, depth + 1))
        elif one.file_bytes is not None:
            made.add_attachment(
                bytes(one.file_bytes),
                maintype="application",
                subtype="octet-stream",
                filename=_name(one, number),
            )
    _fix_boundaries(made)
    return made


def _embedded(folder: Any) -> Any:
    from oxmsg import Message
    from oxmsg.properties import Properties

    message = Message(folder)
    message.__dict__["_properties"] = Properties(folder, properties_header_offset=_EMBEDDED_HEADER)
    return message


def _headers(message: Any) -> Iterator[tuple[str, str]]:
    sent = {name.title(): value for name, value in message.message_headers.items()}
    to = ", ".join(one.email_address for one in message.recipients if one.email_address)
    date = message.sent_date
    known = {
        "From": message.sender,
        "To": sent.get("To") or to,
        "Cc": sent.get("Cc"),
        "Subject": message.subject,
        "Date": sent.get("Date") or (date and date.strftime("%a, %d %b %Y %H:%M:%S %z")),
    }
    yield from ((name, value) for name, value in known.items() if value)


def _fix_boundaries(made: email.message.EmailMessage) -> None:
    """Left to itself, the library takes another boundary each time."""
    for number, part in enumerate(made.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            seed = f"{number} {made.get('Subject')} {made.get('Date')}"
            part.set_boundary(hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:40])
