"""The readers that `bench/read.py` compares, and what one run of each costs."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psutil
import pypdfium2

from inbox.embedded import EmbeddedPostgres
from inbox.store import migrate

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
ENVIRONMENT = os.environ | {"OMP_THREAD_LIMIT": "1", "DO_NOT_TRACK": "1"}
HERE = Path(__file__).parent


class Cost(NamedTuple):
    """What one run took: CPU seconds, seconds on the clock, MB at its peak."""

    cpu: float
    wall: float
    peak: float


class Bench(NamedTuple):
    """What the readers need.

    Attributes:
        cache: folder of the environments that the bench makes.
        scratch: a folder of its own for each run.
        seconds: longest time on the clock for one file.
        postgres: where jobs are run; None where none are.
    """

    cache: Path
    scratch: Path
    seconds: float
    postgres: EmbeddedPostgres | None = None


Answer = tuple[Cost, list[str]]


class TooSlow(Exception):
    """A reader was stopped at the time limit."""


def measured(
    command: list[str], seconds: float, stdin: str = "", **environment: str
) -> tuple[Cost, str, int]:
    """Run a command; its cost with all that it starts, what it printed, its exit code.

    Raises:
        TooSlow: it took longer, and was stopped with all that it started.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, peak, done = time.monotonic(), [0.0], threading.Event()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as given:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=out,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT | environment,
            start_new_session=True,
        )
        watcher = threading.Thread(target=watch, args=(process.pid, peak, done))
        watcher.start()
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TooSlow from None
        finally:
            wall = time.monotonic() - start
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
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
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        peak[0] = max(peak[0], total)


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.Error:
        return []


def raw(path: Path, bench: Bench) -> Answer:
    """Tesseract under xargs, a process a page; the pages are drawn before the clock starts."""
    pictures = list(drawn(path, bench.scratch))
    command = ["xargs", "-P", str(os.cpu_count()), "-I{}", "tesseract", "{}", "{}", "--dpi", "300"]
    cost, _, _ = measured(command, bench.seconds, "\n".join(map(str, pictures)))
    return cost, [page.with_name(page.name + ".txt").read_text() for page in pictures]


def drawn(path: Path, place: Path) -> Iterator[Path]:
    """The pages of a file as pictures."""
    if path.suffix != ".pdf":
        yield Path(shutil.copy(path, place))
        return
    with pypdfium2.PdfDocument(path) as opened:
        for number, page in enumerate(opened):
            picture = place / f"{number:04}.png"
            page.render(scale=300 / 72, grayscale=True).to_pil().save(picture, compress_level=1)
            yield picture


def inbox_read(path: Path, bench: Bench) -> Answer:
    """`inbox read`, with the settings as they come."""
    program = str(Path(sys.executable).with_name("inbox"))
    cost, said, _ = measured([program, "read", str(path), "--output", "text"], bench.seconds)
    return cost, said.removesuffix("\n").split("\f")


def inbox_job(path: Path, bench: Bench) -> Answer:
    """A real job: submitted, claimed, read, classified, recorded, by one worker that starts for it.

    The database is new, so that nothing is remembered; what Postgres takes counts.
    """
    server = bench.postgres
    if server is None:
        raise ValueError("jobs need a Postgres")
    name = f"job_{uuid4().hex}"
    server.ensure_database(name)
    migrate(server.url(name))
    before = cpu_of(server)
    cost, said, _ = measured(
        [sys.executable, str(HERE / "onejob.py"), str(path)],
        bench.seconds,
        DATABASE_URL=server.url(name),
        INBOX_DATA_DIR=str(bench.scratch / "data"),
        INBOX_CLASSIFIER="lexicon",
    )
    time.sleep(0.3)  # until Postgres has seen the last of its sessions off
    cost = cost._replace(cpu=round(cost.cpu + cpu_of(server) - before, 2))
    return cost, said.removesuffix("\n").split("\f") if said else []


def cpu_of(server: EmbeddedPostgres) -> float:
    """CPU seconds that a Postgres and all its sessions took since it was started."""
    listening = next(
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == server.port
    )
    total = 0.0
    for process in family(listening):
        with contextlib.suppress(psutil.Error):
            used = process.cpu_times()
            total += used.user + used.system
            if process.pid == listening:  # and the sessions that are over
                total += used.children_user + used.children_system
    return total


def ocrmypdf(path: Path, bench: Bench) -> Answer:
    """OCRmyPDF, which leaves pages with text alone; its text is taken from the PDF it makes."""
    out = bench.scratch / "out.pdf"
    command = [str(bench.cache / "ocrmypdf" / "bin" / "ocrmypdf"), "--skip-text", "--quiet"]
    command += ["--output-type", "pdf", "--optimize", "0", "--image-dpi", "300"]
    cost, _, _ = measured([*command, str(path), str(out)], bench.seconds)
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


def unstructured(path: Path, bench: Bench) -> Answer:
    """unstructured, with the strategy that it chooses itself."""
    program = str(bench.cache / "unstructured" / "bin" / "python")
    command = [program, "-W", "ignore", "-c", UNSTRUCTURED, str(path)]
    cost, said, code = measured(command, bench.seconds)
    pages = json.loads(said.splitlines()[-1]) if code == 0 and said.strip() else {}
    return cost, [pages.get(str(number + 1), "") for number in range(pages_of(path))]


READERS: dict[str, Callable[[Path, Bench], Answer]] = {
    "tesseract": raw, "inbox read": inbox_read, "inbox job": inbox_job, "ocrmypdf": ocrmypdf,
    "unstructured": unstructured,
}  # fmt: skip


def missing(name: str, cache: Path) -> str | None:
    """Why a reader cannot run here."""
    if not name.startswith("inbox") and shutil.which("tesseract") is None:
        return "the program tesseract is not installed (Debian: apt install tesseract-ocr)"
    if name == "unstructured" and shutil.which("pdftoppm") is None:
        return "poppler is not installed (Debian: apt install poppler-utils)"
    if name in PACKAGES and not (cache / name / ".made").exists():
        return made(name, cache)
    return None


def made(name: str, cache: Path) -> str | None:
    """Make the environment of a reader; why not, where that fails."""
    place = cache / name
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
