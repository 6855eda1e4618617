"""The command that measures a classifier on labelled documents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.table import Table

from inbox.classify import DEFAULT_LABELS, MemoryLedger, Terms, open_classifier, parse_labels
from inbox.classify.evaluation import Evaluation, Filing, Outcome
from inbox.classify.evaluation import evaluate as measure
from inbox.cli.base import AsJson, LabelsText, app, note, printable, say, say_json, settings
from inbox.cli.show import output
from inbox.errors import InboxError, InvalidLabels, InvalidRequest
from inbox.extract import Reader
from inbox.model import Document, Label
from inbox.settings import Settings

LISTING = "labels.csv"
SOURCE_COLUMNS = ("source", "repo")
MOST_SOURCES = 12


class Labelled(NamedTuple):
    """A file and what it is."""

    path: Path
    label: str
    source: str | None


@app.command()
def evaluate(  # noqa: PLR0917  (typer's options)
    where: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|CSV",
            help="A folder with a folder of files for each label, or with labels.csv; or a CSV "
            "(or TSV) with the columns file, label and perhaps source.",
        ),
    ],
    labels: LabelsText = None,
    target_precision: Annotated[
        float, typer.Option(min=0.5, max=1, help="What filing without a person is to reach.")
    ] = 0.95,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the figures into this file.")
    ] = None,
    with_corrections: Annotated[
        bool,
        typer.Option("--with-corrections", help="Show what learning from corrections changes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the classifier on documents whose labels are known. Needs no server.

    Prints accuracy, macro-F1, confusion, calibration error, what reviewing the least confident
    documents catches, and the threshold for review that a target precision asks for. Where the CSV
    names sources, each source is also judged by what the others teach.
    """
    used = settings()
    listed = find_labelled(where)
    chosen = _labels(labels, listed)
    documents = _read_all(listed, used)
    plain = _evaluation(listed, documents, chosen, used, target_precision)
    learned = None
    if with_corrections:
        from inbox.service import Inbox

        with Inbox(used) as inbox:
            taught = inbox.taught(chosen)
        learned = _evaluation(listed, documents, taught, used, target_precision)
    if picture is not None:
        from inbox.classify.picture import draw

        try:
            draw(learned or plain, picture)
        except OSError as failure:
            raise InvalidRequest(f"the picture cannot be written: {failure.strerror}") from None
    if as_json:
        value = plain.model_dump(mode="json")
        if learned is not None:
            value["with_corrections"] = learned.model_dump(mode="json")
        say_json(value, indent=2)
        return
    show(plain)
    if learned is not None:
        say("\nwith corrections learned")
        show(learned)
        _show_change(plain, learned)


def find_labelled(where: Path) -> list[Labelled]:
    """The files to evaluate, with their labels.

    Raises:
        InvalidRequest: nothing is there, or the list is not of the form that is expected.
    """
    if where.is_file():
        return _listed(where)
    if not where.is_dir():
        raise InvalidRequest("there is no such folder or file")
    if (where / LISTING).is_file():
        return _listed(where / LISTING)
    found = [
        Labelled(path, folder.name, None)
        for folder in sorted(where.iterdir())
        if folder.is_dir()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    if not found:
        raise InvalidRequest(f"the folder has neither folders of files nor {LISTING}")
    return found


def _listed(path: Path) -> list[Labelled]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError):
        raise InvalidRequest("the list of files cannot be read as UTF-8 text") from None
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    if not rows or not {"file", "label"} <= rows[0].keys():
        raise InvalidRequest("the list needs a first line with the columns file and label")
    found = []
    for number, row in enumerate(rows, 1):
        file, label = row.get("file"), row.get("label")
        if not file or not label or not (path.parent / file).is_file():
            raise InvalidRequest(f"line {number + 1} of the list names no file, or no label for it")
        source = next((row[name] for name in SOURCE_COLUMNS if row.get(name)), None)
        found.append(Labelled(path.parent / file, label, source))
    return found


def _labels(text: str | None, listed: Sequence[Labelled]) -> tuple[Label, ...] | None:
    expected = {each.label for each in listed}
    known = {label.name for label in DEFAULT_LABELS}
    if text:
        chosen = parse_labels(text)
        missing = len(expected - {label.name for label in chosen})
        if missing:
            raise InvalidLabels(f"{missing} labels of the files are not among those to choose from")
        return chosen
    if expected <= known:
        return None
    note("the labels are those of the files; --labels may bring descriptions")
    return parse_labels(json.dumps(sorted(expected)))


def _read_all(listed: Sequence[Labelled], used: Settings) -> list[Document | None]:
    def read(each: Labelled) -> Document | None:
        try:
            return reader.read(each.path, name=each.path.name)
        except (InboxError, OSError):
            return None

    with Reader(used) as reader, ThreadPoolExecutor(used.file_concurrency) as pool:
        return list(pool.map(read, listed))


def _evaluation(
    listed: Sequence[Labelled],
    documents: Sequence[Document | None],
    labels: Sequence[Label] | None,
    used: Settings,
    target_precision: float,
) -> Evaluation:
    classifier = open_classifier(used)
    terms = Terms(redact=used.model_redact, ledger=MemoryLedger(used.model_job_budget))
    outcomes = []
    for number, (each, document) in enumerate(zip(listed, documents, strict=True), 1):
        if document is None:
            continue
        found = classifier.classify(document, labels, terms)
        outcomes.append(
            Outcome(
                number=number,
                expected=each.label,
                found=found.label,
                confidence=found.confidence,
                needs_review=found.needs_review,
                source=each.source,
            )
        )
    if not outcomes:
        raise InvalidRequest("none of the files can be read")
    return measure(outcomes, target_precision, unreadable=len(listed) - len(outcomes))


def show(found: Evaluation) -> None:
    """Print an evaluation for people."""
    say(f"documents {found.documents}" + _unreadable(found.unreadable))
    say(f"accuracy {found.accuracy:.3f}, macro-F1 {found.macro_f1:.3f}")
    say(f"calibration error {found.calibration_error:.3f}")
    say(f"filed as marked: {_filing(found.marked)}")
    aim = f"for a precision of {found.target_precision:.0%}"
    if found.target.threshold is None:
        say(f"{aim}: no threshold reaches it on these documents")
    else:
        say(f"{aim}: INBOX_REVIEW_THRESHOLD={found.target.threshold:.2f}: {_filing(found.target)}")
    for row in found.review:
        say(f"review {row.share:.0%} (below {row.threshold:.2f}) → {row.caught:.0%} of the errors")
    if found.left_out is not None:
        left = found.left_out
        say(f"leave one source out: accuracy {left.accuracy:.3f} over {len(left.sources)} sources")
        say(f"  filed by the others' threshold: {_filing(left.filing)}")
        for each in left.sources[:MOST_SOURCES]:
            say(f"  {printable(each.source)}: {each.accuracy:.3f} of {each.documents}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("label", "documents", "precision", "recall", "F1", "taken for"):
        table.add_column(column, justify="left" if column in {"label", "taken for"} else "right")
    for figures in found.labels:
        others = {
            name or "no label": count
            for name, count in found.confusion.get(figures.label, {}).items()
            if name != figures.label
        }
        table.add_row(
            printable(figures.label),
            str(figures.documents),
            "" if figures.precision is None else f"{figures.precision:.2f}",
            "" if figures.recall is None else f"{figures.recall:.2f}",
            f"{figures.f1:.2f}",
            printable(", ".join(f"{name} {count}" for name, count in others.items())),
        )
    output().print(table)


def _show_change(before: Evaluation, after: Evaluation) -> None:
    say(f"accuracy {before.accuracy:.3f} → {after.accuracy:.3f}")
    recalls = {each.label: each.recall for each in before.labels}
    for each in after.labels:
        was = recalls.get(each.label)
        if was is not None and each.recall is not None and was != each.recall:
            say(f"{printable(each.label)}: recall {was:.2f} → {each.recall:.2f}")


def _filing(filing: Filing) -> str:
    if filing.precision is None:
        return "nothing"
    caught = "" if filing.caught is None else f", {filing.caught:.0%} of the errors go to a person"
    return f"{filing.coverage:.0%} of the documents, {filing.precision:.1%} of them right{caught}"


def _unreadable(count: int) -> str:
    return f", and {count} that cannot be read" if count else ""
