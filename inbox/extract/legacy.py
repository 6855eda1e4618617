"""Office files of the old kind (.doc, .xls, .ppt), where LibreOffice is installed to convert them.

It runs in the same child as every parser: without network, with limits on memory, time and files,
and with a profile of its own that goes with the child.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from inbox.errors import CorruptFile, UnsupportedType
from inbox.extract import office, partition, sheets, sniff
from inbox.extract.options import Options
from inbox.model import Page

_PROGRAMS = ("soffice", "libreoffice")
_SECONDS = 120
# It maps far more than it uses.
MEMORY_BYTES = 2 * 1024**3
# The old and the new ending, and what to call such a file.
_KINDS = {
    sniff.DOC: ("doc", "docx", "a Word document of the old kind (.doc); save it as .docx or PDF"),
    sniff.XLS: ("xls", "xlsx", "an Excel workbook of the old kind (.xls); save it as .xlsx"),
    sniff.PPT: ("ppt", "pptx", "a PowerPoint file of the old kind (.ppt); save it as .pptx or PDF"),
}


def program() -> str | None:
    """Where LibreOffice is; None where it is not installed."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """The pages of the document, as those of its newer kind.

    Raises:
        UnsupportedType: LibreOffice is not installed.
        CorruptFile: it does not open, or only with a password.
        NotLoaded: this process is not the one that has the library.
        TooManyPages: it has more pages, sheets or slides than allowed.
    """
    old, new, what = _KINDS[sniff.media_type(data)]
    converter = program()
    if converter is None:
        raise UnsupportedType(f"The file is {what}, or install LibreOffice beside this program.")
    if office.FORBIDDEN:
        raise office.NotLoaded
    converted = _converted(converter, data, old, new)
    if new == "xlsx":
        return sheets.read(converted, options)
    return partition.read(converted, options)


def _converted(converter: str, data: bytes, old: str, new: str) -> bytes:
    place = Path(tempfile.mkdtemp())
    source = place / f"in.{old}"
    source.write_bytes(data)
    profile = f"-env:UserInstallation={(place / 'profile').as_uri()}"
    command = [converter, profile, "--headless", "--norestore", "--nolockcheck"]
    command += ["--convert-to", new, "--outdir", str(place / "out"), str(source)]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(place)}
    try:
        subprocess.run(  # noqa: S603 - the program that the system has installed
            command,
            env=environment | {"TMPDIR": str(place), "SAL_USE_VCLPLUGIN": "svp"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,  # it says 0 also where it failed
        )
        return (place / "out" / f"in.{new}").read_bytes()
    except (OSError, subprocess.SubprocessError):
        raise CorruptFile("The document does not open in LibreOffice.") from None
