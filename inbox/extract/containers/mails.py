"""Mail as it travels (RFC 5322): what is attached, and messages inside messages."""

from __future__ import annotations

import email.generator
import email.message
import email.policy
import io
import mimetypes
from collections.abc import Iterator
from typing import Any

from inbox.errors import CorruptFile
from inbox.extract import mail
from inbox.extract.containers import Entry
from inbox.extract.options import Options

_SIGNATURES = {
    "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
}  # fmt: skip
# Pictures in the letter itself that are smaller are logos and lines.
DECORATION_BYTES = 20 * 1024


def count(data: bytes, _: Options) -> int:
    """How many files are attached."""
    return sum(1 for _ in _attached(mail.parsed(data)))


def entries(data: bytes, _: Options) -> Iterator[Entry]:
    """What is attached, in order."""
    for number, part in enumerate(_attached(mail.parsed(data)), start=1):
        yield Entry(_name(part, number), lambda part=part: [_content(part)])  # type: ignore[misc]


def _attached(message: email.message.Message) -> Iterator[email.message.Message]:
    """The parts that are files of their own: not the letter, its look, or its signature."""
    for part in mail.leaves(message):
        if is_message(part) or not (_is_letter(part) or _is_decoration(part)):
            yield part


def _is_letter(part: email.message.Message) -> bool:
    """Whether the part is the letter, another form of it, or what signs it."""
    kind = part.get_content_maintype()
    if kind in {"multipart", "message"} or part.get_content_type() in _SIGNATURES:
        return True
    return mail.is_body(part) or (kind == "text" and not mail.attachment_name(part))


def is_message(part: email.message.Message) -> bool:
    """Whether a part is another message."""
    return part.get_content_type() in mail.MESSAGES and isinstance(part.get_payload(), list)


def _is_decoration(part: email.message.Message) -> bool:
    return (
        part.get_content_maintype() == "image"
        and "Content-ID" in part
        and part.get_content_disposition() != "attachment"
        and len(str(part.get_payload())) * 3 // 4 < DECORATION_BYTES
    )


def _name(part: email.message.Message, number: int) -> str:
    name = mail.attachment_name(part)
    if name and not name.startswith("("):
        return name
    if is_message(part):
        inner: Any = part.get_payload(0)
        return f"{mail.decode_header(inner.get('Subject') or f'message {number}')[:100]}.eml"
    return f"attachment {number}{mimetypes.guess_extension(part.get_content_type()) or ''}"


def _content(part: email.message.Message) -> bytes:
    if is_message(part):
        inner: Any = part.get_payload(0)
        out = io.BytesIO()
        # As it came: a line that begins with From is not marked, and none is folded anew.
        policy = email.policy.compat32.clone(max_line_length=None)
        email.generator.BytesGenerator(out, mangle_from_=False, policy=policy).flatten(inner)
        return out.getvalue()
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        raise CorruptFile("The attachment does not decode.")
    return data
