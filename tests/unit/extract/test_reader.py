"""The door: a path in, a document out."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docx
import pikepdf
import pytest
from PIL import Image

from inbox import errors
from inbox.extract import Reader
from inbox.model import PageSource
from inbox.settings import Settings

TEXT = PageSource.TEXT_LAYER


def test_a_text_is_read(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """Bytes go in, a document with one native page comes out."""
    document = reader.read(put("Grüße aus Köln.\n".encode()))
    assert document.media_type == "text/plain"
    assert document.text == "Grüße aus Köln."
    assert document.pages[0].source is PageSource.NATIVE


def test_a_scan_is_read(
    reader: Reader, put: Callable[[bytes], Path], pdf: Any, letter: Image.Image
) -> None:
    """A scanned page goes through OCR in the child."""
    document = reader.read(put(pdf.page(picture=letter).bytes()))
    assert document.media_type == "application/pdf"
    assert document.ocr_pages == 1
    assert "Northwind Trading Company" in document.text


def test_office_files_are_read(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """What needs the large libraries is read in the process that has them."""
    made, out = docx.Document(), io.BytesIO()
    made.add_paragraph("The lease begins in May.")
    made.save(out)
    document = reader.read(put(out.getvalue()))
    assert document.media_type.endswith("wordprocessingml.document")
    assert document.text == "The lease begins in May."


def test_mail_of_markup_is_read(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """A mail that turns out to need the large libraries gets them."""
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.org", "Offer"
    message.set_content("<p>Only <i>markup</i></p>", subtype="html")
    document = reader.read(put(message.as_bytes()))
    assert document.media_type == "message/rfc822"
    assert "Only markup" in document.text


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.EmptyFile),
        (bytes(range(256)) * 4, errors.UnsupportedType),
        (b"%PDF-1.7\nnothing more", errors.CorruptFile),
        (b"\x89PNG\r\n\x1a\nnothing more", errors.CorruptFile),
        (b"PK\x03\x04nothing more", errors.CorruptFile),
    ],
)
def test_what_cannot_be_read_has_a_code(
    reader: Reader, put: Callable[[bytes], Path], data: bytes, error: type[errors.InboxError]
) -> None:
    """A file that cannot be read raises the error that says why, and may not be retried."""
    with pytest.raises(error) as caught:
        reader.read(put(data))
    assert not caught.value.retry


def test_a_locked_file_is_encrypted(reader: Reader, put: Callable[[bytes], Path], pdf: Any) -> None:
    """The error of the child arrives as the same class."""
    data = pdf.page("secret").bytes(encryption=pikepdf.Encryption(owner="o", user="u"))
    with pytest.raises(errors.EncryptedFile):
        reader.read(put(data))


def test_limits_come_from_the_settings(
    put: Callable[[bytes], Path], pdf: Any, letter: Image.Image
) -> None:
    """Pages and time are limited as the settings say."""
    data = pdf.page("one").page("two").bytes()
    with (
        Reader(Settings(_env_file=None, max_pages=1)) as strict,
        pytest.raises(errors.TooManyPages),
    ):
        strict.read(put(data))
    with (
        Reader(Settings(_env_file=None, file_timeout_seconds=1e-6)) as hasty,
        pytest.raises(errors.ReadTimeout),
    ):
        hasty.read(put(pdf.page(picture=letter).bytes()))


def test_what_was_read_in_time_is_kept(
    reader: Reader,
    put: Callable[[bytes], Path],
    pdf: Any,
    letter: Image.Image,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the time of the file is up no other page is begun; those before are in the document."""
    moved = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + moved[0])

    def late(_done: int, _total: int) -> None:
        moved[0] = 3600.0

    monkeypatch.setattr("inbox.extract.fan.time", clock)
    scan = put(pdf.page("one").page("two").page(picture=letter).bytes())
    pages = reader.read(scan, on_page=late).pages
    assert [page.source for page in pages] == [TEXT, TEXT, PageSource.UNREADABLE]
    moved[0] = 0.0
    assert reader.read(scan).pages[2].source is PageSource.OCR


def test_a_missing_engine_is_a_configuration_error(
    put: Callable[[bytes], Path], letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """A language that is not installed is not blamed on the file."""
    with (
        Reader(Settings(_env_file=None, ocr_languages="xyz")) as reader,
        pytest.raises(errors.ConfigurationError, match="xyz"),
    ):
        reader.read(put(saved(letter, "PNG")))


def test_an_aborted_read_says_cancelled(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """A read whose event is set already ends as cancelled."""
    abort = threading.Event()
    abort.set()
    with pytest.raises(errors.JobCancelled):
        reader.read(put(b"some text"), abort=abort)


def test_many_threads_read_at_once(reader: Reader, tmp_path: Path) -> None:
    """Every thread gets its own document."""
    paths = []
    for number in range(24):
        paths.append(tmp_path / f"{number}")
        paths[-1].write_text(f"document number {number}")
    with ThreadPoolExecutor(6) as pool:
        texts = [document.text for document in pool.map(reader.read, paths)]
    assert texts == [f"document number {number}" for number in range(24)]


def test_the_name_does_not_matter(reader: Reader, tmp_path: Path, pdf: Any) -> None:
    """The type is told by content; a wrong name changes nothing."""
    path = tmp_path / "picture.png"
    path.write_bytes(pdf.page("These words are in a PDF, whatever its name is.").bytes())
    assert reader.read(path).media_type == "application/pdf"


def test_a_missing_file_is_the_callers_problem(reader: Reader, tmp_path: Path) -> None:
    """A path without a file raises what opening it raises."""
    with pytest.raises(FileNotFoundError):
        reader.read(tmp_path / "nothing")


def test_reading_asks_nothing_of_the_network(put: Callable[[bytes], Path]) -> None:
    """Office files and web pages are read without a single connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        page = (
            f'<html><head><link rel="stylesheet" href="http://127.0.0.1:{port}/a.css"></head><body>'
            f'<img src="http://127.0.0.1:{port}/b.png"><p>Words on the page</p></body></html>'
        )
        with Reader(Settings(_env_file=None)) as reader:
            assert "Words on the page" in reader.read(put(page.encode())).text
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_pages_are_read_side_by_side_and_come_in_order(
    put: Callable[[bytes], Path], pdf: Any, drawn: Callable[..., Image.Image]
) -> None:
    """Every page is in its place, whichever process was first, and each is told of once."""
    words = ["one", "two", "three", "four", "five"]
    for word in words:
        pdf.page(picture=drawn((f"This is page number {word}",)), box=(0, 300, 612, 392))
    told: list[tuple[int, int]] = []
    with Reader(Settings(_env_file=None, page_concurrency=3)) as reader:
        document = reader.read(put(pdf.bytes()), on_page=lambda *done: told.append(done))
    assert [word in page.text for word, page in zip(words, document.pages, strict=True)] == [
        True
    ] * 5
    assert [page.number for page in document.pages] == [1, 2, 3, 4, 5]
    assert told == [(number, 5) for number in range(1, 6)]


def test_a_page_that_takes_too_long_costs_only_itself(
    put: Callable[[bytes], Path], pdf: Any, drawn: Callable[..., Image.Image]
) -> None:
    """A page whose time is up is unreadable; the pages before and behind it are read."""
    slow = drawn(tuple(f"line {n} of a page that is full of print" for n in range(60)), size=12)
    pdf.page("The first page has a text layer, and enough of it")
    pdf.page(picture=slow, box=(0, 0, 612, 792)).page("The last page has a text layer as well")
    with Reader(Settings(_env_file=None, page_timeout_seconds=0.05)) as reader:
        document = reader.read(put(pdf.bytes()))
    assert [page.source for page in document.pages] == [TEXT, PageSource.UNREADABLE, TEXT]


def test_an_abort_between_pages_stops_all_of_them(
    put: Callable[[bytes], Path], pdf: Any, letter: Image.Image
) -> None:
    """Setting the event ends the pages under way and starts no other."""
    for _ in range(6):
        pdf.page(picture=letter, box=(0, 200, 612, 592))
    abort, told = threading.Event(), []

    def one(done: int, _: int) -> None:
        told.append(done)
        abort.set()

    with (
        Reader(Settings(_env_file=None, page_concurrency=2)) as reader,
        pytest.raises(errors.JobCancelled),
    ):
        reader.read(put(pdf.bytes()), abort=abort, on_page=one)
    assert len(told) <= 2


def test_a_fault_of_the_caller_is_not_swallowed(
    put: Callable[[bytes], Path], pdf: Any, letter: Image.Image
) -> None:
    """What `on_page` raises comes out, from whichever thread it was called."""
    for _ in range(3):
        pdf.page(picture=letter, box=(0, 200, 612, 592))

    def complain(*_: int) -> None:
        raise ZeroDivisionError

    with (
        Reader(Settings(_env_file=None)) as reader,
        pytest.raises(ZeroDivisionError),
    ):
        reader.read(put(pdf.bytes()), on_page=complain)


def test_plain_text_does_not_wait_for_what_reads_pictures(
    put: Callable[[bytes], Path], pdf: Any
) -> None:
    """A name that promises text starts the small process; what is no text goes on to the next."""
    with Reader(Settings(_env_file=None)) as reader:
        document = reader.read(put(b"Dear Sir,\nthank you."), name="a.txt")
        assert (document.media_type, document.text) == ("text/plain", "Dear Sir,\nthank you.")
        assert not reader._light.runs
        pdf.page("Dear Madam")
        document = reader.read(put(pdf.bytes()), name="b.txt")
        assert document.media_type == "application/pdf"
        assert reader._light.runs
        assert reader.read(put(b"Dear Sir"), name="c.txt").text == "Dear Sir"
