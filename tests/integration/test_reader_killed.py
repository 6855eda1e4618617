"""A reading process that is killed from outside is no fault of the file."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
from PIL import Image, ImageDraw, ImageFont
from processes import children

from inbox.extract import Reader
from inbox.settings import Settings

ZYGOTE = "inbox.extract.sandbox.zygote"


def test_a_file_is_read_again_from_its_beginning(tmp_path: Path) -> None:
    """The parent of the reading process is killed after the file was taken in."""
    picture = Image.new("L", (1600, 2200), 255)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(30)
    for line in range(40):
        draw.text((80, 60 + line * 50), f"this is line {line} of a letter", font=font, fill=0)
    path = tmp_path / "letter.png"
    picture.save(path)
    with Reader(Settings(_env_file=None)) as reader, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader.read, path)
        zygote = parent_of_a_reader(120)
        zygote.kill()
        assert "this is line 7" in reading.result(300).text


def parent_of_a_reader(seconds: float) -> psutil.Process:
    """The process that forked one which is at work on the bytes of a file."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for parent in children(os.getpid(), ZYGOTE):
            with suppress(psutil.NoSuchProcess):
                if any(child.cpu_times().user >= 0.1 for child in parent.children()):
                    return parent
        time.sleep(0.01)
    raise AssertionError("nothing reads")
