"""Reading files: bytes in, `Document` out.

Nothing is parsed in the calling process; see `inbox.extract.sandbox`. To read another kind of file,
see the table in `inbox.extract.work`.
"""

from __future__ import annotations

import base64
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter

from inbox.errors import EmptyFile, NoSpace, ReaderCrashed
from inbox.extract import legacy, outputs, sniff
from inbox.extract.containers import Taken
from inbox.extract.fan import Fan
from inbox.extract.ocr import tessdata
from inbox.extract.office import SILENCE
from inbox.extract.options import Ladder, Options, Shape, Unpacking
from inbox.extract.outputs import MEDIA_TYPES, Output, output_of
from inbox.extract.plan import Plan, settle, without
from inbox.extract.recipe import recipe, versions
from inbox.extract.sandbox import Limits, Sandbox, Signal, nursery, starting
from inbox.extract.slots import Slots, processors
from inbox.extract.watch import Watcher
from inbox.extract.worded import WordedPage, worded
from inbox.extract.work import ELSEWHERE, load_plain
from inbox.model import Document

if TYPE_CHECKING:  # its library is large, and the processes that read do not need it
    from inbox.settings import Settings

__all__ = [
    "MEDIA_TYPES", "Output", "Reader", "Taken", "Unpacking", "Watcher", "WordedPage",
    "keep_nursery", "output_of", "recipe",
]  # fmt: skip

_TAKEN = TypeAdapter(list[Taken])

_ENVIRONMENT = {
    "OMP_THREAD_LIMIT": "1",
    # A page takes 70 MB for a second; in large pieces they come at a quarter of the cost.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    # A process that forks must have one thread.
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    **SILENCE,
}


# Names of what is nearly always plain text; where it is not, the next process reads it.
_TEXT_NAMES = (".txt", ".text", ".log")

# Processor time for all that needs no OCR; two thousand pages with text take a quarter of it.
_PLAN_CPU_SECONDS = 45

_WRONG_FORM = "The reading process gave an answer of the wrong form."


class _Planned(BaseModel):
    """What a child answers that was asked for a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    media_type: str
    plan: Plan


class Reader:
    """Reads files of any kind. A context manager; any number of threads may read at once.

    The pages of one file that need OCR are read side by side, each in a process of its own; how
    many at once is counted over all readers of this machine.
    """

    def __init__(self, settings: Settings) -> None:
        self._options = options = Options.of(settings)
        self._argument = {"options": options.model_dump(mode="json")}
        self._seconds = settings.file_timeout_seconds
        self._page_seconds = settings.page_timeout_seconds
        self._limits = Limits(
            memory_bytes=settings.file_memory_bytes,
            cpu_seconds=int(settings.file_timeout_seconds) + 1,
            processes=options.ocr_engine == "pytesseract",
        )
        self._slots = Slots(settings.page_concurrency or processors())
        # Three, so that the many files that do not need the large libraries never carry them, and
        # a job of plain text does not wait for those that read pictures.
        task, converts = "inbox.extract.work:work", legacy.program() is not None
        self._plain = Sandbox(task, "inbox.extract.work:warm_plain", self._argument, _ENVIRONMENT)
        self._light = Sandbox(task, "inbox.extract.work:warm_light", self._argument, _ENVIRONMENT)
        self._office = Sandbox(
            task,
            "inbox.extract.work:warm_office",
            self._argument,
            _ENVIRONMENT,
            local_sockets=converts,  # LibreOffice is several processes
        )
        self._office_limits = self._limits
        if converts:
            memory = max(legacy.MEMORY_BYTES, self._limits.memory_bytes)
            self._office_limits = self._limits.model_copy(
                update={"processes": True, "memory_bytes": memory}
            )

    def expect(self, names: Iterable[str]) -> None:
        """Have the processes ready by the time that files of these names are to be read."""
        if not all(name.lower().endswith(_TEXT_NAMES) for name in names):
            self._light.start()

    def read(
        self,
        path: Path,
        *,
        name: str | None = None,
        languages: str | None = None,
        ladder: Ladder | None = None,
        shape: Shape = "plain",
        abort: Signal | None = None,
        on_page: Callable[[int, int], None] | None = None,
        unpack: Unpacking | None = None,
        passwords: Sequence[str] = (),
        watcher: Watcher | None = None,
    ) -> Document:
        """The text of the file at `path`, whose type is told by its content.

        A page that fails, or takes too long, is unreadable; the others are kept.

        Args:
            path: the file.
            name: what the file is called, where `path` does not say; a name that claims a format
                which plain text cannot have is an error.
            languages: the languages of scanned pages, as in "eng+deu"; None for those of the
                settings.
            ladder: how much is tried with pages that are hard to read; None for what the settings
                say.
            shape: "markdown" for text with its headings, lists and tables marked, where the format
                has them; "words" for pages (`WordedPage`) that tell where each word stands.
            abort: set from another thread to stop reading.
            on_page: told, from one thread at a time, how many pages are done, and of how many.
            unpack: how far files inside the file are looked for; None: archives are refused, and
                what is inside mail is read with it.
            passwords: tried where the file is locked; only the child that reads it sees them.
            watcher: told of every page that is read, and asked for those that it knows.

        Raises:
            EmptyFile: the file has no bytes.
            UnsupportedType: no reader is for this kind of file.
            CorruptFile: it is damaged, or hostile.
            TypeMismatch: it is plain text, and `name` claims a format that is not.
            DecompressionBomb: it is built to become enormous when it is opened.
            XmlDtdForbidden: it is XML with a document type of its own.
            EncryptedFile: it does not open without a password, nor with any given.
            TooDeep, TooManyEntries, ContainerTooLarge: there is more inside than `unpack` allows.
            TooManyPages: it has more pages than the settings allow.
            ReadTimeout: no page could be read in the time that the settings allow.
            ReaderCrashed: it takes more memory than allowed, or a library died of it.
            UnsupportedLanguage: one of `languages` is not installed here.
            NoSpace: the disk is full.
            JobCancelled: `abort` was set.
            ConfigurationError: the OCR engine or a language is missing.
            OSError: `path` cannot be opened.
        """
        if path.stat().st_size == 0:
            raise EmptyFile("The file has no bytes.")
        changed: dict[str, Any] = {"shape": shape, "unpack": unpack}
        if languages is not None:
            changed["ocr_languages"] = tessdata.checked(languages, self._options.tessdata_dir)
        if ladder is not None:
            changed["ocr_ladder"] = ladder
        options = self._options.model_copy(update=changed)
        end = time.monotonic() + self._seconds
        secret = _secret(passwords)
        argument = {"options": options.model_dump(mode="json"), "name": name}
        planned = self._plan(path, argument, secret=secret, end=end, abort=abort)
        plan = planned.plan
        fan = Fan(
            self._light,
            self._slots,
            path,
            options,
            limits=self._limits,
            page_seconds=self._page_seconds,
            end=end,
            abort=abort,
            secret=secret,
            watcher=watcher,
        )
        wanted = {page.place + 1 for batch in plan.batches for page in batch.pages}
        if watcher is not None:
            known = watcher.known(recipe(options), wanted)
            fan.found |= {number - 1: page for number, page in known.items()}
            plan = without(plan, known)
        fan.read(plan, on_page)
        return Document(
            media_type=planned.media_type,
            pages=tuple(settle(plan, fan.found, fan.failed)),
            children=plan.inside,
            container=plan.container,
        )

    def render(
        self,
        path: Path,
        output: Output,
        *,
        name: str | None = None,
        languages: str | None = None,
        ladder: Ladder | None = None,
        abort: Signal | None = None,
        on_page: Callable[[int, int], None] | None = None,
        passwords: Sequence[str] = (),
    ) -> bytes:
        """The file at `path` in another form.

        Args:
            path: the file.
            output: "text": plain text in UTF-8, pages parted by form feeds; "markdown"; "words":
                JSON with the box of each word; "pdf": the same pages, with the words of scanned
                ones invisible where they stand. `MEDIA_TYPES` has the media type of each.
            name: as for `read`.
            languages: as for `read`.
            ladder: as for `read`.
            abort: as for `read`.
            on_page: as for `read`.
            passwords: as for `read`.

        Raises:
            UnsupportedOutput: a searchable PDF of what is neither a PDF nor a picture.
            InboxError: as for `read`.
        """
        document = self.read(
            path,
            name=name,
            languages=languages,
            ladder=ladder,
            shape=outputs.SHAPES[output],
            abort=abort,
            on_page=on_page,
            passwords=passwords,
        )
        match output:
            case "text":
                return outputs.text(document)
            case "markdown":
                return outputs.markdown(document)
            case "words":
                return outputs.words(document)
        return self._searchable(path, document, abort, passwords)

    def _searchable(
        self, path: Path, document: Document, abort: Signal | None, passwords: Sequence[str]
    ) -> bytes:
        outputs.refuse_pdf_of(document.media_type)
        pages = [worded(page) for page in document.pages]
        if document.media_type == sniff.PDF and not any(len(p.words) > p.from_layer for p in pages):
            return path.read_bytes()
        answer = self._light.run(
            path,
            self._argument | {"searchable": [page.model_dump(mode="json") for page in pages]},
            limits=self._limits,
            seconds=self._seconds,
            abort=abort,
            secret=_secret(passwords),
        )
        try:
            return base64.b64decode(answer, validate=True)
        except (ValueError, TypeError):
            raise ReaderCrashed(_WRONG_FORM) from None

    @contextlib.contextmanager
    def unpack(
        self,
        path: Path,
        limits: Unpacking,
        *,
        passwords: Sequence[str] = (),
        abort: Signal | None = None,
    ) -> Iterator[tuple[list[Taken], IO[bytes]]]:
        """The files inside the file at `path`: what they are, and where their bytes are.

        Args:
            path: the container.
            limits: how much may be inside.
            passwords: tried where it is locked.
            abort: set from another thread to stop.

        Raises:
            TooManyEntries, ContainerTooLarge: there is more inside than the limits allow.
            DecompressionBomb: it is built to become enormous when it is opened.
            EncryptedFile, CorruptFile, ReadTimeout, ReaderCrashed, NoSpace, JobCancelled: as for
                `read`.
        """
        options = self._options.model_copy(update={"unpack": limits})
        try:
            output = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        except OSError:
            raise NoSpace("No temporary file can be made.") from None
        with output:
            answer = self._light.run(
                path,
                {"options": options.model_dump(mode="json")},
                limits=self._limits.model_copy(update={"file_bytes": limits.max_bytes + 1}),
                seconds=self._seconds,
                abort=abort,
                secret=_secret(passwords),
                output=output.fileno(),
            )
            try:
                taken = _TAKEN.validate_python(answer)
            except ValueError:  # the child is not trusted to be well-behaved
                raise ReaderCrashed(_WRONG_FORM) from None
            yield taken, output

    def _plan(
        self,
        path: Path,
        argument: dict[str, Any],
        *,
        secret: dict[str, Any] | None,
        end: float,
        abort: Signal | None,
    ) -> _Planned:
        answer: Any = None
        seconds = min(_PLAN_CPU_SECONDS, self._limits.cpu_seconds)
        bound = self._limits.model_copy(update={"cpu_seconds": seconds})
        office = self._office_limits.model_copy(update={"cpu_seconds": seconds})
        where = [(self._light, bound), (self._office, office)]
        if str(argument["name"] or path).lower().endswith(_TEXT_NAMES) and not self._light.runs:
            where.insert(0, (self._plain, bound))
        for sandbox, limits in where:
            answer = sandbox.run(
                path,
                argument,
                limits=limits,
                seconds=end - time.monotonic(),
                abort=abort,
                secret=secret,
            )
            if answer != ELSEWHERE:
                break
        try:
            return _Planned.model_validate(answer)
        except ValueError:  # the child is not trusted to be well-behaved
            raise ReaderCrashed(_WRONG_FORM) from None

    @property
    def without_network(self) -> tuple[str, ...]:
        """How the network is kept from the processes that read: "namespace", "filter", both, none.

        Raises:
            ConfigurationError: the processes cannot be started.
        """
        return self._light.without_network

    def close(self) -> None:
        """Stop the processes."""
        for sandbox in (self._plain, self._light, self._office):
            sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def keep_nursery() -> None:
    """Let the readers of this process's forks share what they load, with a nursery for zygotes."""
    load_plain()  # here as well, so that who watches the files of modules sees them change
    versions()
    nursery.keep(starting.environment() | _ENVIRONMENT)


def _secret(passwords: Sequence[str]) -> dict[str, list[str]] | None:
    """What only the child may know."""
    return {"passwords": list(passwords)} if passwords else None
