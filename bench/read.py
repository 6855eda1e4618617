"""Reading compared: `python bench/read.py [--corpus FOLDER] [--cache FOLDER] [--only NAME,…]`.

The same files, one run each, through: Tesseract itself under xargs on pages drawn beforehand (the
least that OCR costs here), `inbox read`, a real job (a worker that starts for it, on a Postgres of
the bench, whose processor time counts), OCRmyPDF and unstructured, the last two in environments of
their own that the bench makes (in the cache folder). Without a corpus, on documents drawn here, of
which every letter is known. A corpus has perf/scan8.pdf, perf/digital100.pdf and ocr/*/NAME.png
with the true text in NAME.txt.

No reader gets more than `--seconds` for one file, nor more than `--budget` for all. Where one was
stopped or ran out of time, the table says so, and its ratios are taken over the files that it read.
Ends with a JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from inbox.embedded import EmbeddedPostgres

sys.path.insert(0, str(Path(__file__).parent))
import sheets
from readers import READERS, Bench, TooSlow, missing, pages_of

CACHE = Path.home() / ".cache" / "inbox-bench"
SLOW = {"unstructured"}  # takes minutes for a hundred pages of text; there are ten besides
FEW = 10  # characters under which a page with print counts as lost


class Task(NamedTuple):
    """A file, what it is a case of, and the true text of its pages where it is known."""

    case: str
    path: Path
    truth: list[str] | None


def letters(text: str) -> str:
    """What counts: no spaces, one case."""
    return "".join(text.casefold().split())


def error_rate(truth: str, said: str) -> float:
    """Insertions, deletions and substitutions a letter of the truth."""
    truth, said = letters(truth), letters(said)
    return Levenshtein.distance(truth, said) / max(1, len(truth))


def tasks(corpus: Path | None, place: Path) -> Iterator[Task]:
    """What to read: the drawn documents, and those of the corpus."""
    yield from (Task(*each) for each in sheets.documents(place))
    if corpus is None:
        return
    for case, name in (("corpus scan", "scan8.pdf"), ("corpus text", "digital100.pdf")):
        if (corpus / "perf" / name).exists():
            yield Task(case, corpus / "perf" / name, None)
    for truth in sorted((corpus / "ocr").glob("*/*.txt")):
        for picture in truth.parent.glob(f"{truth.stem}.[jp][pn]g"):
            yield Task(f"corpus ocr {truth.parent.name}", picture, [truth.read_text()])


def result(task: Task, bench: Bench, name: str) -> dict[str, Any]:
    """What one reader made of one file; only the time where it was stopped."""
    try:
        cost, pages = READERS[name](task.path, bench)
    except TooSlow:
        return {"file": task.path.name, "stopped": bench.seconds, "wall": bench.seconds}
    found: dict[str, Any] = {"file": task.path.name} | cost._asdict()
    found["characters"] = sum(map(len, map(letters, pages)))
    if task.truth is not None:
        pages += [""] * (len(task.truth) - len(pages))
        pairs = list(zip(task.truth, pages, strict=False))
        found["lost"] = sum(len(letters(said)) < FEW <= len(letters(true)) for true, said in pairs)
        found["error_rate"] = round(sum(error_rate(*pair) for pair in pairs) / len(pairs), 4)
    else:
        empty = sum(len(letters(said)) < FEW for said in pages)
        found["lost"] = empty + max(0, pages_of(task.path) - len(pages))
    return found


Runs = list[dict[str, Any]]


def summed(runs: Runs) -> dict[str, Any] | None:
    """The results of some files together: sums, the highest peak, the mean error rate."""
    if not runs:
        return None
    total: dict[str, Any] = {
        key: round(sum(each[key] for each in runs), 2)
        for key in ("cpu", "wall", "characters", "lost")
    }
    total["peak"] = max(each["peak"] for each in runs)
    rates = [each["error_rate"] for each in runs if "error_rate" in each]
    total["error_rate"] = round(sum(rates) / len(rates), 4) if rates else None
    return total


def row(by: dict[str, Runs], name: str) -> dict[str, Any]:
    """One reader in one case, beside every other that has read the same files too."""
    read = {each["file"]: each for each in by[name] if "stopped" not in each and "left" not in each}
    found: dict[str, Any] = {
        "files": len(read),
        "stopped": [each["file"] for each in by[name] if "stopped" in each],
        "left": [each["file"] for each in by[name] if "left" in each],
    }
    total = summed(list(read.values()))
    if total is None:
        return found
    for other, runs in by.items():
        same = [each for each in runs if "cpu" in each and each["file"] in read]
        base = summed(same)
        if base is None or len(same) < len(read):
            continue
        ratios = {key: round(total[key] / max(0.01, base[key]), 2) for key in ("cpu", "wall")}
        found.setdefault("against", {})[other] = ratios
    return found | total


def run(options: argparse.Namespace, names: Sequence[str]) -> dict[str, dict[str, Runs]]:
    """Every file through every reader, one after the other."""
    found: dict[str, dict[str, Runs]] = {}
    spent = dict.fromkeys(names, 0.0)
    with (
        tempfile.TemporaryDirectory(prefix="inbox-bench-") as made,
        contextlib.ExitStack() as open_,
    ):
        place = Path(made)
        postgres = None
        if "inbox job" in names:
            postgres = open_.enter_context(EmbeddedPostgres(place / "database"))
        for task in tasks(options.corpus, place):
            for name in names:
                if name == "tesseract" and task.case.removeprefix("corpus ").startswith("text"):
                    continue  # nobody would
                runs = found.setdefault(task.case, {}).setdefault(name, [])
                long = name in SLOW and pages_of(task.path) >= sheets.MANY
                if long or spent[name] >= options.budget:
                    runs.append({"file": task.path.name, "left": True})
                    continue
                with tempfile.TemporaryDirectory(prefix="inbox-bench-") as scratch:
                    bench = Bench(options.cache, Path(scratch), options.seconds, postgres)
                    runs.append(result(task, bench, name))
                spent[name] += runs[-1]["wall"]
                said = "stopped at" if "stopped" in runs[-1] else "read in"
                print(f"{task.path.name}: {name}: {said} {runs[-1]['wall']:.1f} s",
                      file=sys.stderr, flush=True)  # fmt: skip
    return found


def show(rows: dict[str, dict[str, dict[str, Any]]]) -> None:
    """The table: costs as ratios of the first reader of the case."""
    print(f"{'case':20} {'reader':13} {'files':>5} {'CPU s':>7} {'ratio':>6} {'wall s':>7} "
          f"{'ratio':>6} {'peak MB':>8} {'letters':>8} {'lost':>5} {'errors':>7}")  # fmt: skip
    for case, by in rows.items():
        for name, one in by.items():
            head = f"{case:20} {name:13} {one['files']:5}"
            if "cpu" in one:
                base = next(iter(one["against"].values()))
                rate = "" if one["error_rate"] is None else f"{one['error_rate']:.3f}"
                print(f"{head} {one['cpu']:7.2f} {base['cpu']:6.2f} {one['wall']:7.2f} "
                      f"{base['wall']:6.2f} {one['peak']:8.0f} {one['characters']:8.0f} "
                      f"{one['lost']:5.0f} {rate:>7}")  # fmt: skip
            else:
                print(f"{head}  read none of the files")
            for what, why in (
                ("stopped", "stopped at the time limit"),
                ("left", "left out, for time"),
            ):
                if one[what]:
                    print(f"{'':20} {'':13} {why}: {', '.join(one[what])}")
        ratios = by.get("inbox job", {}).get("against", {}).get("inbox read")
        if ratios:
            print(f"{case:20} a job to `inbox read`: CPU {ratios['cpu']}, wall {ratios['wall']}")


def main() -> None:
    """Run everything, print a table and a JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, help="folder of more files")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of environments")
    parser.add_argument("--only", default=",".join(READERS), help="readers, parted by commas")
    parser.add_argument("--seconds", type=float, default=120, help="most for one file")
    parser.add_argument("--budget", type=float, default=240, help="most for one reader")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(READERS):
        parser.error(f"no reader is called {', '.join(sorted(unknown))}")
    left_out = {name: why for name in wanted if (why := missing(name, options.cache))}
    for name, why in left_out.items():
        print(f"left out: {name}: {why}", file=sys.stderr)
    found = run(options, [name for name in wanted if name not in left_out])
    rows = {case: {name: row(by, name) for name in by} for case, by in found.items()}
    show(rows)
    for name, why in left_out.items():
        print(f"left out: {name}: {why}")
    limits = {"seconds": options.seconds, "budget": options.budget, "processors": os.cpu_count()}
    print(json.dumps({"cases": rows, "left_out": left_out, **limits}))


if __name__ == "__main__":
    main()
