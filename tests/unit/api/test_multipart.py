"""A multipart body, cut anywhere, gives the same parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.api.multipart import MultipartReader, Part, PartEnd, boundary_of
from inbox.errors import InvalidRequest, NotMultipart

BODY = (
    b"--b\r\n"
    b'Content-Disposition: form-data; name="labels"\r\n\r\n'
    b'["a", "b"]\r\n'
    b"--b\r\n"
    b'Content-Disposition: form-data; name="files"; filename="a.bin"\r\n'
    b"Content-Type: Application/PDF; x=y\r\n\r\n"
    b"\r\n--x not quite\r\n--\r\n\x00\xff\r\n"
    b"--b\r\n"
    b'Content-Disposition: form-data; name="files"; filename=""\r\n\r\n\r\n'
    b"--b--\r\n"
)
PARTS = [
    (Part("labels", None, None), b'["a", "b"]'),
    (Part("files", "a.bin", "application/pdf"), b"\r\n--x not quite\r\n--\r\n\x00\xff"),
    (Part("files", "", None), b""),
]


def read(pieces: list[bytes]) -> list[tuple[Part, bytes]]:
    """The parts with their bytes."""
    reader = MultipartReader(b"b")
    parts: list[tuple[Part, bytes]] = []
    ended = 0
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, Part):
                parts.append((event, b""))
            elif isinstance(event, PartEnd):
                ended += 1
            else:
                parts[-1] = (parts[-1][0], parts[-1][1] + event)
    reader.close()
    assert ended == len(parts)
    return parts


@given(st.lists(st.integers(0, len(BODY)), max_size=30))
def test_the_cuts_do_not_matter(cuts: list[int]) -> None:
    """However the network cuts the body, the parts are the same."""
    places = [0, *sorted(cuts), len(BODY)]
    assert read([BODY[start:end] for start, end in pairwise(places)]) == PARTS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        BODY[:-10],
        BODY[:60],
        b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nBad Header: x\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nX: " + b"x" * 10_000 + b"\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" + b"X: y\r\n" * 100 + b"\r\nx\r\n--b--\r\n",
        BODY.replace(b"Content-Type", b"Content-Transfer-Encoding: base64\r\nContent-Type"),
    ],
)
def test_a_body_that_is_not_whole_is_refused(body: bytes) -> None:
    """Broken off, without names, with endless headers or encoded: none of it is guessed at."""
    with pytest.raises(InvalidRequest):
        read([body])


@given(st.binary(max_size=500))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    """Nothing but a refusal comes out of arbitrary bytes."""
    try:
        read([b"--b\r\n" + body])
    except InvalidRequest:
        return


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
    ],
)
def test_the_boundary_is_found(header: bytes, boundary: bytes) -> None:
    """Bare or quoted, after other parameters."""
    assert boundary_of(header) == boundary


def test_another_type_of_body_is_refused() -> None:
    """JSON, nothing, or a form that cannot hold files."""
    for header in (b"", b"application/json", b"application/x-www-form-urlencoded"):
        with pytest.raises(NotMultipart):
            boundary_of(header)
    for header in (b"multipart/form-data", b"multipart/form-data; boundary=" + b"x" * 300):
        with pytest.raises(InvalidRequest):
            boundary_of(header)
