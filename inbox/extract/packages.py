"""Zip files that are one document: OpenDocument and EPUB."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable

from inbox.errors import EncryptedFile

ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"

_MOST = 1024 * 1024
# Only fonts are scrambled in an open book.
_SCRAMBLED = re.compile(
    rb"CipherReference\s[^>]*URI=[\"'][^\"']*\.(x?html?|xml)[\"']", re.IGNORECASE
)


def kind_of(opened: zipfile.ZipFile) -> str | None:
    """The media type that a document of this kind states of itself; None for other zip files.

    Raises:
        EncryptedFile: it is locked.
    """
    if "mimetype" not in opened.namelist():
        return None
    stated = _head(opened, "mimetype", 100).decode("ascii", "replace").strip()
    check = _LOCKED.get(stated)
    if check is None:
        return None
    if check(opened):
        raise EncryptedFile("The document is locked with a password.")
    return stated


def _odf_is_locked(opened: zipfile.ZipFile) -> bool:
    return b"encryption-data" in _head(opened, "META-INF/manifest.xml")


def _epub_is_locked(opened: zipfile.ZipFile) -> bool:
    return bool(_SCRAMBLED.search(_head(opened, "META-INF/encryption.xml")))


def _head(opened: zipfile.ZipFile, name: str, most: int = _MOST) -> bytes:
    if name not in opened.namelist():
        return b""
    with opened.open(name) as part:
        return part.read(most)


_LOCKED: dict[str, Callable[[zipfile.ZipFile], bool]] = {
    ODT: _odf_is_locked,
    ODS: _odf_is_locked,
    ODP: _odf_is_locked,
    EPUB: _epub_is_locked,
}
