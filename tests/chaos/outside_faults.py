"""Faults around the queue: readers, the API, the blob store, a full disk."""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psutil
from processes import send

from chaos.checks import check, expect_whole
from chaos.rig import Rig, wait_for

POST = "/classify-documents-async"
OLD = 7200


def picture(number: int) -> bytes:
    """A page that takes OCR about a second, unlike every other: none is recognised twice."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("L", (1600, 2200), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(30)
    draw.text((80, 10), f"Reference {uuid4().hex}", font=font, fill=0)
    for line in range(40):
        text = f"Dear Sir or Madam, this is line {line} of letter {number}, yours sincerely"
        draw.text((80, 60 + line * 50), text, font=font, fill=0)
    file = io.BytesIO()
    page.save(file, "png")
    return file.getvalue()


def kill_parser(rig: Rig) -> None:
    """SIGKILL of the process that reads a file: that file fails; of its parent: nothing does."""
    for _ in range(3):
        rig.submit(3, picture)
    workers = rig.workers(2, CHAOS_PACE="0")
    for number in range(4):
        family = _readers(workers, parent=number % 2 == 1)
        if family:
            send(family[:1])
            rig.figures.injected += 1
        finished = rig.finished_files()
        wait_for(lambda count=finished: rig.finished_files() > count, 30)  # type: ignore[misc]
    rig.drain()
    check(rig)
    codes = Counter(code for (code,) in rig.query("select error_code from inbox_files") if code)
    rig.figures.notes.append(f"{dict(codes) or 'nothing'} failed")
    if set(codes) - {"reader_crashed"} or codes.total() > 2:
        rig.figures.broken.append(f"more than the files that were being read failed: {codes}")


def _readers(workers: list[subprocess.Popen[bytes]], *, parent: bool) -> list[psutil.Process]:
    """A process that reads a file at this moment, or the one that forked it."""
    found: list[psutil.Process] = []

    def look() -> bool:
        for worker in workers:
            for zygote in psutil.Process(worker.pid).children():
                with suppress(psutil.NoSuchProcess):
                    if readers := zygote.children():
                        found.extend([zygote] if parent else readers)
        return bool(found)

    wait_for(look, 40, every=0.01)
    return found


def duplicates(rig: Rig) -> None:
    """Thirty requests with one Idempotency-Key at the same moment: one job for all of them."""
    start = threading.Barrier(30)
    with _api(rig) as (_, address), httpx.Client(base_url=address, timeout=60) as client:

        def post(_: int) -> str:
            start.wait()
            while True:
                answer = _post(client, b"INVOICE 7", key="the same")
                if answer.status_code != 409:
                    return f"{answer.status_code} {answer.json().get('job_id')}"
                time.sleep(random.uniform(0.05, 0.2))

        with ThreadPoolExecutor(30) as pool:
            answers = set(pool.map(post, range(30)))
        rig.figures.injected = 30
        other = _post(client, b"another file", key="the same").status_code
    if len(answers) != 1 or not next(iter(answers)).startswith("202"):
        rig.figures.broken.append(f"thirty times the same request: {answers}")
    if other != 422:
        rig.figures.broken.append(f"another body under the same key: {other}")
    rig.workers(1)
    rig.drain()
    if sorted(rig.inbox.blobs.jobs(-60)) != sorted(job.job_id for job in rig.inbox.list()):
        rig.figures.broken.append("there are bytes of a job that does not exist")
    check(rig)
    expect_whole(rig)
    if rig.figures.jobs != 2:
        rig.figures.broken.append(f"{rig.figures.jobs - 1} jobs for one key")


def kill_api(rig: Rig) -> None:
    """SIGKILL of the API while clients send: what it acknowledged exists; the rest is swept."""
    acknowledged: set[UUID] = set()
    for number in range(3):
        point = "blobs.commit.after=exit@7" if number == 1 else ""
        with _api(rig, INBOX_FAILPOINTS=point) as (api, address):
            over = threading.Event()
            with ThreadPoolExecutor(6) as pool:
                for _ in range(6):
                    pool.submit(_send, address, over, acknowledged)
                time.sleep(1.0)
                if not point:
                    api.kill()
                api.wait(20)
                over.set()
            rig.figures.injected += 1
    kept = {job_id for (job_id,) in rig.query("select id from inbox_jobs")}  # no page of them
    if not acknowledged or acknowledged - kept:
        rig.figures.broken.append(f"{len(acknowledged - kept)} acknowledged jobs are lost")
    rig.workers(2, CHAOS_PACE="0")
    rig.drain()
    make_old(rig.settings.blobs_folder)
    orphans = rig.inbox.sweep()
    rig.figures.notes.append(f"{len(acknowledged)} acknowledged, {orphans} orphans swept")
    if set(rig.inbox.blobs.jobs(-60)) != kept:
        rig.figures.broken.append("bytes and jobs differ after the sweep")
    check(rig)
    expect_whole(rig)


def _send(address: str, over: threading.Event, acknowledged: set[UUID]) -> None:
    with httpx.Client(base_url=address, timeout=10, trust_env=False) as client:
        while not over.is_set():
            try:
                answer = _post(client, b"INVOICE 8 " * 2000)
                if answer.status_code == 202:
                    acknowledged.add(UUID(answer.json()["job_id"]))
            except httpx.TransportError:
                return


def blob_errors(rig: Rig) -> None:
    """Bytes that are cut short, gone, or unreadable for a while."""
    job_id = rig.submit(5)
    folder = rig.settings.blobs_folder / str(job_id)
    whole = {n: (folder / str(n)).read_bytes() for n in (1, 2, 3)}
    (folder / "1").write_bytes(whole[1][:9])
    (folder / "2").unlink()
    (folder / "3").unlink()
    (folder / "3").mkdir()  # opening it fails, also for root
    rig.figures.injected = 3
    rig.workers(1)
    wait_for(lambda: len(rig.noted("begin")) >= 3, 40)
    (folder / "3").rmdir()
    (folder / "3").write_bytes(whole[3])
    rig.drain()
    query = "select number, error_code from inbox_files where job_id = %s and error_code > ''"
    codes = dict(rig.query(query, job_id))
    if codes != {1: "blob_corrupt", 2: "blob_missing"}:
        rig.figures.broken.append(f"the errors are {codes}")
    for number in (1, 2):
        (folder / str(number)).write_bytes(whole[number])
    rig.inbox.retry(job_id)
    rig.drain()
    check(rig, transient=True)
    expect_whole(rig)


def no_space(rig: Rig) -> None:
    """The disk of the scratch folder is full, then that of the blobs: tried again, then said."""
    with _small_disk(rig) as disk:
        scratch = disk / "scratch"
        scratch.mkdir()
        [worker] = rig.workers(1, CHAOS_PACE="0", TMPDIR=str(scratch))
        rig.submit(1)
        rig.drain()
        _fill(disk)
        send(psutil.Process(worker.pid).children())  # the next one needs a folder
        for folder in scratch.iterdir():
            shutil.rmtree(folder)
        _fill(disk)
        job_id = rig.submit(2)
        rig.drain()
        query = "select distinct error_code from inbox_files where job_id = %s"
        if rig.query(query, job_id) != [("no_space",)]:
            rig.figures.broken.append(f"a full scratch disk: {rig.query(query, job_id)}")
        begun = Counter(line["file"] for line in rig.noted("begin") if line["job"] == str(job_id))
        if min(begun.values()) < 2:
            rig.figures.broken.append("nothing was tried again")
        worker.terminate()
        worker.wait(20)
        with (
            _api(rig, INBOX_BLOBS_DIR=str(disk)) as (_, address),
            httpx.Client(base_url=address, timeout=60) as client,
        ):
            full = _post(client, b"x" * 100_000).status_code
            _empty(disk)
            free = _post(client, b"x" * 1000)
        rig.figures.injected = 2
        if (full, free.status_code) != (507, 202):
            rig.figures.broken.append(f"full: {full}, then free: {free.status_code}")
        else:
            rig.inbox.cancel(UUID(free.json()["job_id"]))  # its bytes are on the other disk
    rig.inbox.retry(job_id)
    rig.workers(1, CHAOS_PACE="0")
    rig.drain()
    check(rig, transient=True)
    expect_whole(rig)


FAULTS: dict[str, Callable[[Rig], None]] = {
    "kill-parser": kill_parser,
    "duplicates": duplicates,
    "kill-api": kill_api,
    "blob-errors": blob_errors,
    "no-space": no_space,
}


@contextmanager
def _api(rig: Rig, **extra: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The API as a process of its own, and where it answers."""
    log = rig.home / "log"
    before = log.stat().st_size if log.exists() else 0
    process = rig.spawn("inbox.cli", "api", **extra)
    found: list[str] = []

    def started() -> bool:
        text = log.read_bytes()[before:].decode(errors="replace")
        found.extend(re.findall(r"running on (http://[\w.:]+)", text))
        return bool(found)

    if not wait_for(started, 40):
        raise RuntimeError("the API does not start")
    yield process, found[0]
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _post(client: httpx.Client, content: bytes, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(POST, files=[("files", ("a.txt", content))], headers=headers)


def make_old(folder: Path) -> None:
    """Let every blob be older than the sweep waits."""
    then = time.time() - OLD
    for path in [*folder.glob("*/*"), *folder.glob("*")]:
        os.utime(path, (then, then))


@contextmanager
def _small_disk(rig: Rig) -> Iterator[Path]:
    """A file system of 64 kB and 12 files.

    Raises:
        RuntimeError: this account may not mount one.
    """
    disk = rig.home / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k,nr_inodes=12", "tmpfs", str(disk)]
    done = subprocess.run(["mount", *options], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"a small file system is needed, and only root may mount one: {done.stderr}"
        )
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill(disk: Path) -> None:
    number = 0
    try:
        while True:
            number += 1
            if (disk / f"full-{number}").exists():
                continue
            (disk / f"full-{number}").write_bytes(b"x" * 4096)
    except OSError:
        return


def _empty(disk: Path) -> None:
    for path in disk.glob("full-*"):
        path.unlink()
