"""Commands on files, with no server and no database: read, classify."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from inbox.cli.base import (
    AsJson,
    Exit,
    LabelsText,
    Passwords,
    app,
    complain,
    exit_code,
    printable,
    say,
    say_json,
    settings,
)
from inbox.cli.paths import find_files, shown
from inbox.errors import ConfigurationError, InboxError, InvalidRequest, PermanentError
from inbox.extract import Output, Reader, output_of
from inbox.model import Classification, Document, Label, Page, Problem
from inbox.settings import Settings

if TYPE_CHECKING:  # not needed to read
    from inbox.classify import Classifier, Terms


@app.command()
def read(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A document.")],
    *,
    password: Passwords = None,
    as_json: AsJson = False,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help="text with page breaks, markdown, words (JSON with the box of each word), or pdf "
            "(the scan with its words, to be searched).",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("-o", "--to", metavar="PATH", help="Where to write the output.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option(metavar="LIST", help="Languages of scans, as in eng+deu.")
    ] = None,
) -> None:
    """Read one file and print its text, page by page. Needs no server and no database."""
    try:
        if not file.is_file():
            raise InvalidRequest(f"there is no file {shown(file)}")
        form = _form(output, to, as_json=as_json)
        with Reader(settings()) as reader:
            secrets = password or ()
            if form is not None:
                rendered = _opened(
                    lambda: reader.render(
                        file, form, name=file.name, languages=languages, passwords=secrets
                    )
                )
                _write(rendered, to)
                return
            document = _opened(
                lambda: reader.read(file, name=file.name, languages=languages, passwords=secrets)
            )
    except InboxError as error:
        if not as_json:
            raise
        say_json({"file": shown(file), "error": Problem.of(error).model_dump()})
        complain(error.code, str(error))
        raise typer.Exit(exit_code(error)) from None
    if as_json:
        say_json(document.model_dump(mode="json"), indent=2)
        return
    for page in document.pages:
        say(_heading(page))
        say(printable(page.text, keep="\n\t"))


@app.command()
def classify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Files, or folders to take all files from."),
    ],
    labels: LabelsText = None,
    as_json: AsJson = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what a model would cost; ask none.")
    ] = False,
    split: Annotated[
        bool, typer.Option("--split", help="Propose where a file holds several documents.")
    ] = False,
) -> None:
    """Read and classify files. Needs no server and no database. One JSON object a line."""
    from inbox.classify import MemoryLedger, Terms, open_classifier, parse_labels

    chosen = parse_labels(labels) if labels else None
    paths = find_files(files)
    used = settings()
    if estimate:
        _estimate(used, paths, chosen, as_json=as_json)
        return
    failed = False
    with Reader(used) as reader:
        terms = Terms(redact=used.model_redact, ledger=MemoryLedger(used.model_job_budget))
        trip = _Trip(reader, open_classifier(used), chosen, terms, split=split)
        for path, outcome in _in_order(trip, paths, used.file_concurrency):
            failed |= isinstance(outcome, Problem)
            if as_json:
                say_json(_as_object(path, outcome))
            else:
                say(_as_line(path, outcome))
    raise typer.Exit(Exit.FAILED if failed else Exit.OK)


def _estimate(
    used: Settings, paths: Sequence[Path], labels: Sequence[Label] | None, *, as_json: bool
) -> None:
    """Print what a model would cost; files that cannot be read cost nothing."""
    if not used.uses_model:
        raise ConfigurationError("no model is configured; the lexicon costs nothing")
    from inbox.classify.llm import ModelClassifier

    documents: list[Document] = []
    with Reader(used) as reader:
        for path in paths:
            with contextlib.suppress(PermanentError):
                documents.append(_read(reader, path))
    found = ModelClassifier(used).estimate(documents, labels)
    if as_json:
        say_json({"model": used.model, "files": len(paths), **found._asdict()})
        return
    money = (
        f"the price of {used.model} is unknown; see INBOX_MODEL_PRICES"
        if found.likely is None
        else f"about {found.likely:.4f} US dollars, at most {found.most:.4f} without retries"
    )
    tokens = f"{found.input_tokens} tokens in, {found.output_tokens} out"
    say(f"{found.calls} calls to {used.model}, about {tokens}: {money}")


Outcome = tuple[Document, Classification] | Problem
Answer = TypeVar("Answer")


class _Trip:
    """Takes one file from its bytes to its label."""

    def __init__(
        self,
        reader: Reader,
        classifier: Classifier,
        labels: Sequence[Label] | None,
        terms: Terms,
        *,
        split: bool = False,
    ) -> None:
        self._reader, self._classifier, self._labels = reader, classifier, labels
        self._terms, self._split = terms, split
        self.stop = threading.Event()

    def __call__(self, path: Path) -> Outcome:
        from inbox.classify.splits import with_splits

        try:
            document = _read(self._reader, path, self.stop)
            found = self._classifier.classify(document, self._labels, self._terms)
            return document, with_splits(found, document, self._labels) if self._split else found
        except Exception as error:  # noqa: BLE001  (one file must not end the others)
            return Problem.of(error)


def _in_order(
    trip: _Trip, paths: Sequence[Path], concurrency: int
) -> Iterator[tuple[Path, Outcome]]:
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="classify")
    try:
        yield from zip(paths, pool.map(trip, paths), strict=True)
    finally:
        trip.stop.set()
        pool.shutdown(cancel_futures=True)


def _form(output: str | None, to: Path | None, *, as_json: bool) -> Output | None:
    """The form asked for; None for pages with headings on the screen."""
    if output is None and to is None:
        return None
    form = output_of(output or "text")
    if as_json:
        raise InvalidRequest("--json and --output exclude each other; for JSON: --output words")
    if form == "pdf" and to is None and sys.stdout.isatty():
        raise InvalidRequest("a PDF is not for the screen; name a file with -o")
    return form


def _write(content: bytes, to: Path | None) -> None:
    """To a file, which appears whole or not at all; else to the standard output."""
    if to is None and sys.stdout.isatty():
        say(printable(content.decode(), keep="\n\t\f"))
        return
    if to is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    part = to.with_name(f".{to.name}.part")
    try:
        part.write_bytes(content)
        part.replace(to)
    except OSError as failure:
        part.unlink(missing_ok=True)
        raise InvalidRequest(f"the output cannot be written: {failure.strerror}") from None


def _read(
    reader: Reader,
    path: Path,
    abort: threading.Event | None = None,
    passwords: Sequence[str] = (),
) -> Document:
    return _opened(lambda: reader.read(path, name=path.name, abort=abort, passwords=passwords))


def _opened(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except OSError as failure:
        raise InvalidRequest(f"the file cannot be opened: {failure.strerror}") from None


def _as_object(path: Path, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Problem):
        return {
            "file": shown(path),
            "label": None,
            "confidence": None,
            "evidence": [],
            "needs_review": True,
            "review_reasons": [],
            "error_code": outcome.code,
            "error": outcome.model_dump(),
        }
    document, found = outcome
    return {
        "file": shown(path),
        **found.model_dump(mode="json"),
        "media_type": document.media_type,
        "pages": len(document.pages),
        "ocr_pages": document.ocr_pages,
        "text_length": len(document.text),
        "error_code": None,
    }


def _as_line(path: Path, outcome: Outcome) -> str:
    name = printable(shown(path))
    if isinstance(outcome, Problem):
        return f"{name}: {outcome.code}: {outcome.message}"
    _, found = outcome
    confidence = "" if found.confidence is None else f" ({found.confidence:.2f})"
    review = f"; review: {', '.join(found.review_reasons)}" if found.needs_review else ""
    lines = [f"{name}: {printable(found.label or 'no label')}{confidence}{review}"]
    for part in found.details.splits:
        sure = "" if part.confidence is None else f" (begins here: {part.confidence:.2f})"
        pages = f"pages {part.first_page} to {part.last_page}"
        lines.append(f"  {pages}: {printable(part.label or 'no label')}{sure}")
    return "\n".join(lines)


def _heading(page: Page) -> str:
    parts = [f"page {page.number}", page.source.value]
    if page.engine is not None:
        parts.append(page.engine)
    if page.confidence is not None:
        parts.append(f"confidence {page.confidence:.2f}")
    return f"--- {', '.join(parts)} ---"
