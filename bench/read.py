"""Reading compared: `python bench/read.py [--corpus FOLDER] [--cache FOLDER] [--only NAME,…]`.

The same files, one run each, through: Tesseract itself under xargs on pages drawn beforehand (the
least that OCR costs here), `inbox read`, OCRmyPDF and unstructured, the last two in environments of
their own that the bench makes (in the cache folder). Without a corpus, on documents drawn here, of
which every letter is known. A corpus has perf/scan8.pdf, perf/digital100.pdf and ocr/*/NAME.png
with the true text in NAME.txt. Ends with a JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pypdfium2
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).parent))
import sheets

CACHE = Path.home() / ".cache" / "inbox-bench"
PACKAGES = {
    "ocrmypdf": ["ocrmypdf>=17"],
    "unstructured": [
        "unstructured", "unstructured.pytesseract", "pdfminer.six", "pdf2image", "pi_heif", "pypdf",
        "opencv-python-headless", "onnxruntime", "onnx", "huggingface_hub", "matplotlib", "pandas",
        "scipy", "spacy",
    ],
}  # fmt: skip
# What these need themselves would bring gigabytes that OCR alone does not use.
BARE = {"unstructured": ["unstructured-inference"]}
FEW = 10  # characters under which a page with print counts as lost
ENVIRONMENT = os.environ | {"OMP_THREAD_LIMIT": "1", "DO_NOT_TRACK": "1"}


class Task(NamedTuple):
    """A file, what it is a case of, and the true text of its pages where it is known."""

    case: str
    path: Path
    truth: list[str] | None


class Cost(NamedTuple):
    """What one run took: CPU seconds, seconds on the clock, MB at its peak."""

    cpu: float
    wall: float
    peak: float


def measured(command: list[str], stdin: str | None = None) -> tuple[Cost, str, int]:
    """Run a command; its cost with all that it starts, what it printed, its exit code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, peak, done = time.monotonic(), [0.0], threading.Event()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as given:
        given.write(stdin or "")
        given.seek(0)
        process = subprocess.Popen(
            command, stdin=given, stdout=out, stderr=subprocess.DEVNULL, env=ENVIRONMENT
        )
        watcher = threading.Thread(target=watch, args=(process.pid, peak, done))
        watcher.start()
        code = process.wait()
        wall = time.monotonic() - start
        done.set()
        watcher.join()
        out.seek(0)
        said = out.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(round(cpu, 2), round(wall, 2), round(peak[0] / 1e6)), said, code


def watch(pid: int, peak: list[float], done: threading.Event) -> None:
    """Note the most memory that a process and its descendants have together."""
    while not done.wait(0.25):
        total = 0.0
        for process in family(pid):
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total)


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.Error:
        return []


Answer = tuple[Cost, list[str]]


def raw(task: Task, place: Path) -> Answer:
    """Tesseract under xargs, a process a page; the pages are drawn before the clock starts."""
    pictures = list(drawn(task.path, place))
    command = ["xargs", "-P", str(os.cpu_count()), "-I{}", "tesseract", "{}", "{}", "--dpi", "300"]
    cost, _, _ = measured(command, "\n".join(map(str, pictures)))
    return cost, [page.with_name(page.name + ".txt").read_text() for page in pictures]


def drawn(path: Path, place: Path) -> Iterator[Path]:
    """The pages of a file as pictures."""
    if path.suffix != ".pdf":
        yield path if os.access(path.parent, os.W_OK) else Path(shutil.copy(path, place))
        return
    with pypdfium2.PdfDocument(path) as opened:
        for number, page in enumerate(opened):
            picture = place / f"{number:04}.png"
            page.render(scale=300 / 72, grayscale=True).to_pil().save(picture, compress_level=1)
            yield picture


def inbox(task: Task, _: Path) -> Answer:
    """`inbox read`, with the settings as they come."""
    program = str(Path(sys.executable).with_name("inbox"))
    cost, said, _ = measured([program, "read", str(task.path), "--output", "text"])
    return cost, said.removesuffix("\n").split("\f")


def ocrmypdf(task: Task, place: Path) -> Answer:
    """OCRmyPDF, which leaves pages with text alone; its text is taken from the PDF it makes."""
    out = place / "out.pdf"
    command = [str(CACHE / "ocrmypdf" / "bin" / "ocrmypdf"), "--skip-text", "--quiet"]
    command += ["--output-type", "pdf", "--optimize", "0", "--image-dpi", "300"]
    cost, _, _ = measured([*command, str(task.path), str(out)])
    if not out.exists():
        return cost, []
    with pypdfium2.PdfDocument(out) as opened:
        return cost, [str(page.get_textpage().get_text_range()) for page in opened]


UNSTRUCTURED = """
import json, sys
from unstructured.nlp import tokenize
import spacy
splitter = spacy.blank("en"); splitter.add_pipe("sentencizer")  # or it asks the network
tokenize._get_nlp = lambda: splitter
path, pages = sys.argv[1], {}
if path.endswith(".pdf"):
    from unstructured.partition.pdf import partition_pdf as partition
else:
    from unstructured.partition.image import partition_image as partition
strategy = "auto" if path.endswith(".pdf") else "ocr_only"
for part in partition(filename=path, strategy=strategy, languages=["eng"]):
    pages.setdefault(part.metadata.page_number or 1, []).append(part.text)
print(json.dumps({str(number): chr(10).join(said) for number, said in pages.items()}))
"""


def unstructured(task: Task, _: Path) -> Answer:
    """unstructured, with the strategy that it chooses itself."""
    program = str(CACHE / "unstructured" / "bin" / "python")
    cost, said, code = measured([program, "-W", "ignore", "-c", UNSTRUCTURED, str(task.path)])
    pages = json.loads(said.splitlines()[-1]) if code == 0 and said.strip() else {}
    count = pages_of(task.path)
    return cost, [pages.get(str(number + 1), "") for number in range(count)]


CONTENDERS: dict[str, Callable[[Task, Path], Answer]] = {
    "tesseract": raw, "inbox": inbox, "ocrmypdf": ocrmypdf, "unstructured": unstructured,
}  # fmt: skip


def missing(name: str) -> str | None:
    """Why a contender cannot run here."""
    if name != "inbox" and shutil.which("tesseract") is None:
        return "the program tesseract is not installed (Debian: apt install tesseract-ocr)"
    if name == "unstructured" and shutil.which("pdftoppm") is None:
        return "poppler is not installed (Debian: apt install poppler-utils)"
    if name in PACKAGES and not (CACHE / name / ".made").exists():
        return made(name)
    return None


def made(name: str) -> str | None:
    """Make the environment of a contender; why not, where that fails."""
    place = CACHE / name
    shutil.rmtree(place, ignore_errors=True)
    print(f"installing {name} into {place} …", file=sys.stderr)
    steps = [
        [sys.executable, "-m", "venv", str(place)],
        [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES[name]],
    ]
    if name in BARE:
        steps.append([*steps[-1][:5], "--no-deps", *BARE[name]])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"its environment cannot be made: {done.stderr.strip().splitlines()[-1]}"
    (place / ".made").touch()
    return None


def pages_of(path: Path) -> int:
    """How many pages a file has."""
    if path.suffix != ".pdf":
        return 1
    with pypdfium2.PdfDocument(path) as opened:
        return len(opened)


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
    for case, name in (("corpus scan", "scan8.pdf"), ("corpus digital", "digital100.pdf")):
        if (corpus / "perf" / name).exists():
            yield Task(case, corpus / "perf" / name, None)
    for truth in sorted((corpus / "ocr").glob("*/*.txt")):
        for picture in truth.parent.glob(f"{truth.stem}.[jp][pn]g"):
            yield Task(f"corpus {truth.parent.name}", picture, [truth.read_text()])


def result(task: Task, cost: Cost, pages: list[str]) -> dict[str, Any]:
    """What one contender made of one file."""
    found: dict[str, Any] = cost._asdict() | {"characters": sum(map(len, map(letters, pages)))}
    if task.truth is not None:
        pages += [""] * (len(task.truth) - len(pages))
        pairs = list(zip(task.truth, pages, strict=False))
        found["lost"] = sum(len(letters(said)) < FEW <= len(letters(true)) for true, said in pairs)
        found["error_rate"] = round(sum(error_rate(*pair) for pair in pairs) / len(pairs), 4)
    else:
        empty = sum(len(letters(said)) < FEW for said in pages)
        found["lost"] = empty + max(0, pages_of(task.path) - len(pages))
    return found


def summed(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The results of one case together: sums, the highest peak, the mean error rate."""
    total: dict[str, Any] = {
        key: round(sum(each[key] for each in found), 2)
        for key in ("cpu", "wall", "characters", "lost")
    }
    total["peak"] = max(each["peak"] for each in found)
    rates = [each["error_rate"] for each in found if "error_rate" in each]
    total["error_rate"] = round(sum(rates) / len(rates), 4) if rates else None
    return total


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="inbox-bench-") as name:
        yield Path(name)


def main() -> None:
    """Run everything, print a table and a JSON line."""
    global CACHE  # noqa: PLW0603
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--only", default=",".join(CONTENDERS))
    options = parser.parse_args()
    CACHE = options.cache
    left_out = {name: why for name in options.only.split(",") if (why := missing(name))}
    for name, why in left_out.items():
        print(f"left out: {name}: {why}", file=sys.stderr)
    running = [name for name in options.only.split(",") if name not in left_out]
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with folder() as place:
        for task in tasks(options.corpus, place):
            for name in running:
                if name == "tesseract" and "digital" in task.case:
                    continue  # nobody would
                with folder() as scratch:
                    one = result(task, *CONTENDERS[name](task, scratch))
                print(f"{task.path.name}: {name}: {one['wall']:.1f} s", file=sys.stderr, flush=True)
                found.setdefault(task.case, {}).setdefault(name, []).append(one)
    said = {case: {n: summed(r) for n, r in by.items()} for case, by in found.items()}
    show(said)
    print(json.dumps({"cases": said, "left_out": left_out}))


def show(said: dict[str, dict[str, dict[str, Any]]]) -> None:
    """The table: costs as ratios of Tesseract's where it ran, else of ours."""
    print(f"{'case':20} {'reader':13} {'CPU s':>7} {'ratio':>6} {'wall s':>7} {'ratio':>6} "
          f"{'peak MB':>8} {'letters':>8} {'lost':>5} {'errors':>7}")  # fmt: skip
    for case, by in said.items():
        base = by.get("tesseract") or by.get("inbox") or next(iter(by.values()))
        for name, one in by.items():
            rate = "" if one["error_rate"] is None else f"{one['error_rate']:.3f}"
            print(f"{case:20} {name:13} {one['cpu']:7.2f} {one['cpu'] / base['cpu']:6.2f} "
                  f"{one['wall']:7.2f} {one['wall'] / base['wall']:6.2f} {one['peak']:8.0f} "
                  f"{one['characters']:8.0f} {one['lost']:5.0f} {rate:>7}")  # fmt: skip


if __name__ == "__main__":
    main()
