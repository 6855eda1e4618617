"""Office documents that a password locks: an OLE container around the encrypted file."""

from __future__ import annotations

import io
from collections.abc import Sequence

from inbox.errors import CorruptFile, EncryptedFile

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SEALED = "EncryptedPackage\0".encode("utf-16-le")  # [MS-OFFCRYPTO] 2.3.4.4


def is_locked(data: bytes) -> bool:
    """Whether this is such a container."""
    return data.startswith(_OLE) and _SEALED in data


def unlocked(data: bytes, passwords: Sequence[str]) -> bytes:
    """The document inside, where one of the passwords opens it; anything else as it is.

    Raises:
        EncryptedFile: none of the passwords opens it.
        CorruptFile: it cannot be decrypted.
    """
    if not passwords or not is_locked(data):
        return data
    import msoffcrypto
    from msoffcrypto.exceptions import InvalidKeyError

    try:
        container = msoffcrypto.OfficeFile(io.BytesIO(data))
        for password in passwords:
            out = io.BytesIO()
            try:
                container.load_key(password=password, verify_password=True)
                container.decrypt(out)
            except InvalidKeyError:
                continue
            return out.getvalue()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever the library meets in a damaged file
        raise CorruptFile("The locked document is damaged.") from None
    raise EncryptedFile("The document is locked, and no password of the job opens it.")
