"""Reading files: bytes in, `Document` out.

Nothing is parsed in the calling process; see `inbox.extract.sandbox`. To read another kind of file,
see the table in `inbox.extract.work`.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Self

from inbox.errors import EmptyFile, ReaderCrashed
from inbox.extract.office import SILENCE
from inbox.extract.options import Options
from inbox.extract.sandbox import Limits, Sandbox
from inbox.extract.work import ELSEWHERE
from inbox.model import Document
from inbox.settings import Settings

__all__ = ["Reader"]

_ENVIRONMENT = {
    "OMP_THREAD_LIMIT": "1",
    # A process that forks must have one thread.
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    **SILENCE,
}


class Reader:
    """Reads files of any kind. A context manager; any number of threads may read at once."""

    def __init__(self, settings: Settings) -> None:
        options = Options.of(settings)
        self._argument = options.model_dump(mode="json")
        self._seconds = settings.file_timeout_seconds
        self._limits = Limits(
            memory_bytes=settings.file_memory_bytes,
            cpu_seconds=int(settings.file_timeout_seconds) + 1,
            processes=options.ocr_engine == "pytesseract",
        )
        # Two, so that the many files that do not need the large libraries never carry them.
        self._light, self._office = (
            Sandbox("inbox.extract.work:read", warm, self._argument, _ENVIRONMENT)
            for warm in ("inbox.extract.work:warm_light", "inbox.extract.work:warm_office")
        )

    def read(self, path: Path, *, abort: threading.Event | None = None) -> Document:
        """The text of the file at `path`, whose type is told by its content.

        Args:
            path: the file.
            abort: set from another thread to stop reading.

        Raises:
            EmptyFile: the file has no bytes.
            UnsupportedType: no reader is for this kind of file.
            CorruptFile: it is damaged, or hostile.
            EncryptedFile: it does not open without a password.
            TooManyPages: it has more pages than the settings allow.
            ReadTimeout: it takes longer than the settings allow.
            ReaderCrashed: it takes more memory than allowed, or a library died of it.
            NoSpace: the disk is full.
            JobCancelled: `abort` was set.
            ConfigurationError: the OCR engine or a language is missing.
            OSError: `path` cannot be opened.
        """
        if path.stat().st_size == 0:
            raise EmptyFile("The file has no bytes.")
        end = time.monotonic() + self._seconds
        answer = None
        for sandbox in (self._light, self._office):
            answer = sandbox.run(
                path,
                self._argument,
                limits=self._limits,
                seconds=end - time.monotonic(),
                abort=abort,
            )
            if answer != ELSEWHERE:
                break
        try:
            return Document.model_validate(answer)
        except ValueError:  # the child is not trusted to be well-behaved
            raise ReaderCrashed("The reading process gave an answer of the wrong form.") from None

    def close(self) -> None:
        """Stop the processes."""
        self._light.close()
        self._office.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
