"""What XML may not bring: a document type of its own."""

from __future__ import annotations

import re

from inbox.errors import DecompressionBomb, XmlDtdForbidden

# A document type stands before the first element.
HEAD = 16 * 1024
_DOCTYPE = re.compile(rb"<!DOCTYPE|<!ENTITY")
# An entity made of other entities, each of which is made of others.
_NESTED = re.compile(rb"""<!ENTITY\s+[^\s>]+\s+["'][^"'>]*&[^;"'\s]+;[^"'>]*&""")


def refuse_doctype(head: bytes) -> None:
    """Let pass only XML without a document type.

    Args:
        head: how it begins; in any encoding that leaves ASCII letters recognisable.

    Raises:
        DecompressionBomb: its entities multiply.
        XmlDtdForbidden: it has a document type.
    """
    plain = head.replace(b"\0", b"")  # UTF-16
    if not _DOCTYPE.search(plain):
        return
    if _NESTED.search(plain):
        raise DecompressionBomb("The XML declares entities that multiply when they are read.")
    raise XmlDtdForbidden("The XML has a document type of its own, which is never followed.")
