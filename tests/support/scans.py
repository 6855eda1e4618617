"""A long scan under way, its cancel, and the processes that read it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx
import psutil
from house import PLAIN, House, wait_until
from PIL import Image, ImageDraw, ImageFont

BUSY_SECONDS = 0.5
NURSERY = "inbox.extract.sandbox.nursery"


def scan(pages: int) -> bytes:
    """A PDF of pictures of pages, each different."""
    blank = Image.new("L", (1240, 1754), 255)
    draw, font = ImageDraw.Draw(blank), ImageFont.load_default(26)
    for line in range(34):
        draw.text((70, 120 + line * 46), f"This is line {line} of the page", font=font, fill=0)
    pictures = []
    for number in range(1, pages + 1):
        page = blank.copy()
        ImageDraw.Draw(page).text((70, 60), f"page number {number}", font=font, fill=0)
        pictures.append(page)
    file = io.BytesIO()
    pictures[0].save(file, "pdf", save_all=True, append_images=pictures[1:], quality=60)
    return file.getvalue()


def readers(house: House) -> list[psutil.Process]:
    """What runs below the flow runs and the nursery of a house: the processes that read."""
    found: dict[int, psutil.Process] = {}
    for owner in [*house.named("prefork-run"), *house.children(NURSERY)]:
        with suppress(psutil.NoSuchProcess):
            found |= {child.pid: child for child in owner.children(recursive=True)}
    return list(found.values())


def cancel_a_scan(house: House, folder: Path, pages: int = 200) -> tuple[UUID, float, int]:
    """Post a scan, wait until two processes work on it, cancel the job, wait until all is still.

    Returns:
        The job, the seconds from the cancel until it was cancelled and no process that had been
        reading was left, and how many processes there had been.

    Raises:
        AssertionError: it did not get going, or did not end within a minute.
    """
    path = folder / "scan.pdf"
    path.write_bytes(scan(pages))
    job_id = house.submit([path])
    wait_until(lambda: _busy(readers(house)) >= 2, 120, house.logs)
    reading = readers(house)
    began = time.monotonic()
    url = f"{house.url('API')}/job/{job_id}/cancel"
    assert httpx.post(url, timeout=30, **PLAIN).is_success
    wait_until(
        lambda: house.job(job_id)["status"] == "cancelled" and not _alive(reading),
        60,
        _explain(house, reading),
    )
    return job_id, time.monotonic() - began, len(reading)


def _busy(processes: list[psutil.Process]) -> int:
    """How many of them have worked for a while."""
    count = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            count += sum(process.cpu_times()[:2]) > BUSY_SECONDS
    return count


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running()]


def _explain(house: House, reading: list[psutil.Process]) -> Callable[[], str]:
    return lambda: f"{_alive(reading)}\n{house.logs()}"
