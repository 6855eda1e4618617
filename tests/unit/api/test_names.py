"""File names are only ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.names import MAX_CHARACTERS, display_name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\letter.docx", "letter.docx"),
        ("a\x00b\r\nc\x7f.pdf", "abc.pdf"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("Cafe\u0301.txt", "Caf\u00e9.txt"),
        ("\udcff.txt", "?.txt"),
        ("  spaced.txt ", "spaced.txt"),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("folder/", "unnamed"),
        ("\x00\x01", "unnamed"),
        (".gitignore", ".gitignore"),
        ("發票 № 7 🧾.pdf", "發票 № 7 🧾.pdf"),
    ],
)
def test_only_the_last_component_is_shown(raw: str, shown: str) -> None:
    """Folders, control characters and marks that turn text round are dropped."""
    assert display_name(raw) == shown


def test_a_long_name_keeps_its_extension() -> None:
    """What is cut off is the middle, not the type."""
    name = display_name("x" * 400 + ".pdf")
    assert len(name) == MAX_CHARACTERS
    assert name.endswith("x.pdf")


def test_an_extension_as_long_as_a_name_is_cut() -> None:
    """A dot early in a long name does not make the rest of it an extension."""
    assert display_name("a." + "b" * 400) == "a." + "b" * 253


@given(st.text(st.characters(codec=None)))
def test_any_name_can_be_stored(raw: str) -> None:
    """Whatever is sent, what comes out is a short UTF-8 text without NUL or separators."""
    name = display_name(raw)
    assert 1 <= len(name) <= MAX_CHARACTERS
    assert name.encode("utf-8")
    assert not set(name) & {"\x00", "/", "\\", "\n"}
    assert display_name(name) == name
