"""The whole house as a stranger starts it, and documents that take their time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from house import House
from PIL import Image, ImageDraw, ImageFont


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for the tests that leave it standing."""
    started = House(tmp_path_factory.mktemp("house"), {})
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Builds houses that a test may pull down; may be called again for the same folder."""
    houses: list[House] = []

    def build(**extra: str) -> House:
        houses.append(House(tmp_path, extra))
        return houses[-1]

    yield build
    for built in houses:
        built.stop()


@pytest.fixture
def letters(tmp_path: Path) -> list[Path]:
    """Pictures of letters, each a second or so of work for OCR: no other test's are the same.

    A house remembers the pages that it has recognised.
    """
    mark = uuid4().hex[:8]
    font = ImageFont.load_default(30)
    paths = []
    for number in range(1, 7):
        picture = Image.new("L", (1600, 2200), 255)
        draw = ImageDraw.Draw(picture)
        for line in range(45):
            text = f"Dear Sir or Madam, line {line} of letter {number} {mark}, yours sincerely"
            draw.text((80, 60 + line * 46), text, font=font, fill=0)
        paths.append(tmp_path / f"letter-{number}.png")
        picture.save(paths[-1])
    return paths
