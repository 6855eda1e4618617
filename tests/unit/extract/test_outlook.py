"""Outlook messages."""

from __future__ import annotations

import pytest
from outlook_files import (
    ADDRESS,
    BODY,
    FILE_NAME,
    HEADERS,
    HTML,
    NAME,
    SENDER,
    SENDER_ADDRESS,
    SUBJECT,
    message,
    wide,
)

from inbox.errors import CorruptFile
from inbox.extract import outlook, sniff
from inbox.extract.options import Options


def said(data: bytes) -> str:
    """The text of a message."""
    assert sniff.media_type(data) == sniff.MSG
    (page,) = outlook.read(data, Options())
    return page.text


def test_headers_body_and_attachments_are_in_the_text() -> None:
    """What a reader sees of an Outlook message is in the text."""
    data = message(
        {
            SUBJECT: wide("Offer for März"),
            BODY: wide("Please find our offer.\r\nKind regards"),
            SENDER: wide("Ana"),
            SENDER_ADDRESS: wide("ana@example.org"),
        },
        inner={
            "__recip_version1.0_#00000000": {NAME: wide("Bo"), ADDRESS: wide("bo@example.org")},
            "__attach_version1.0_#00000000": {FILE_NAME: wide("offer.pdf")},
        },
    )
    text = said(data)
    for part in (
        'From: "Ana" <ana@example.org>',
        "To: Bo <bo@example.org>",
        "Subject: Offer for März",
        "Attachments: offer.pdf",
        "Please find our offer.\nKind regards",
    ):
        assert part in text


def test_transport_headers_are_used() -> None:
    """A message that came over the network shows the headers it came with."""
    headers = "From: a@example.org\r\nTo: b@example.org\r\nDate: Mon, 4 Mar 2024 10:00:00 +0000\r\n"
    text = said(message({HEADERS: wide(headers), BODY: wide("Words.")}))
    assert "To: b@example.org" in text
    assert "Date: Mon, 4 Mar 2024" in text


def test_a_body_of_markup_is_read_as_text() -> None:
    """Without a plain body the HTML is read."""
    text = said(message({SUBJECT: wide("x"), HTML: b"<p>Only <b>markup</b> here</p>"}))
    assert "Only markup here" in text


def test_a_damaged_container_is_corrupt() -> None:
    """Half a message is corrupt."""
    data = message({SUBJECT: wide("x"), BODY: wide("y")})
    with pytest.raises(CorruptFile):
        outlook.read(data[:1536], Options())
