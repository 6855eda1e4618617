"""Names in headers, in every way that clients write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.api.headers import main_value, parameters


@pytest.mark.parametrize(
    ("header", "filename"),
    [
        (b'form-data; name="files"; filename="a.pdf"', "a.pdf"),
        (b"form-data; name=files; filename=a.pdf", "a.pdf"),
        (b'form-data; name="files"; filename="a;b=c.pdf"', "a;b=c.pdf"),
        (rb'form-data; name="files"; filename="say \"hi\".pdf"', 'say "hi".pdf'),
        (rb'form-data; name="files"; filename="say %22hi%22.pdf"', 'say "hi".pdf'),
        (rb'form-data; name="files"; filename="C:\dir\new.pdf"', r"C:\dir\new.pdf"),
        ('form-data; filename="Größe.pdf"'.encode(), "Größe.pdf"),
        ('form-data; filename="Größe.pdf"'.encode("latin-1"), "Größe.pdf"),
        (b"form-data; filename*=UTF-8''%e2%82%ac%20rates.pdf", "\u20ac rates.pdf"),
        (b"form-data; filename=\"x.pdf\"; filename*=utf-8'de'Gr%C3%B6%C3%9Fe.pdf", "Größe.pdf"),
        (b"form-data; filename*=iso-8859-1''Gr%F6%DFe.pdf; filename=x.pdf", "Größe.pdf"),
        (b"form-data; filename*=x-unknown''a; filename=plain.pdf", "plain.pdf"),
        (b"form-data; filename*=utf-8''%ff; filename=plain.pdf", "plain.pdf"),
        (b'form-data; filename*0="long-"; filename*1="name.pdf"', "long-name.pdf"),
        (b"form-data; filename*1*=%AC.pdf; filename*0*=utf-8''%E2%82", "\u20ac.pdf"),
        (b"form-data; FILENAME=a.pdf", "a.pdf"),
        (b'form-data; filename=""', ""),
        (b'form-data; name="files"', None),
        (b"form-data", None),
    ],
)
def test_a_file_name_is_read_as_it_was_meant(header: bytes, filename: str | None) -> None:
    """Quoted, escaped, percent-encoded, in sections, in UTF-8 and in Latin-1."""
    found = parameters(header)
    assert found.get("filename") == filename
    assert main_value(header) == "form-data"


@given(st.binary(max_size=300))
def test_no_header_breaks_the_reader(header: bytes) -> None:
    """Any bytes give some parameters, all of them text."""
    found = parameters(b"form-data; " + header)
    assert all(isinstance(value, str) for value in found.values())


@pytest.mark.timeout(5)
def test_a_hostile_header_takes_no_time() -> None:
    """A header full of backslashes is read in linear time."""
    assert parameters(b'form-data; filename="' + b"\\" * 4000) is not None
