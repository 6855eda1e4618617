"""Mail and plain text."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from inbox.extract import mail, text
from inbox.extract.options import Options
from inbox.model import PageSource

OPTIONS = Options()


def said(data: bytes) -> str:
    """The text of a mail."""
    (page,) = mail.read(data, OPTIONS)
    assert page.source is PageSource.NATIVE
    return page.text


def test_headers_body_and_attachments_are_in_the_text() -> None:
    """What a reader sees of a mail is in the text, and the bytes of attachments are not."""
    message = EmailMessage()
    message["From"] = "Ana Núñez <ana@example.org>"
    message["To"] = "team@example.org"
    message["Cc"] = "boss@example.org"
    message["Subject"] = "Rechnung für März"
    message["Date"] = "Mon, 04 Mar 2024 10:00:00 +0000"
    message.set_content("Please pay the invoice.\nThank you.\n")
    message.add_alternative("<p>MARKUP ONLY</p>", subtype="html")
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="bill.pdf")
    message.add_attachment("inner words", filename="notes.txt")
    text = said(message.as_bytes())
    for part in (
        "From: Ana Núñez <ana@example.org>",
        "To: team@example.org",
        "Cc: boss@example.org",
        "Subject: Rechnung für März",
        "Date: Mon, 04 Mar 2024",
        "Please pay the invoice.\nThank you.",
        "Attachments: bill.pdf, notes.txt",
    ):
        assert part in text
    assert "%PDF" not in text
    assert "MARKUP" not in text


def test_mail_that_is_only_markup_is_read_as_text() -> None:
    """Without a plain part the HTML part is read."""
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.org", "x"
    message.set_content("<p>Only <b>markup</b> here</p>", subtype="html")
    text = said(message.as_bytes())
    assert "Only markup here" in text
    assert "<b>" not in text


@pytest.mark.parametrize(
    "broken",
    [
        b"Content-Type: text/plain; charset=no-such-charset\n\nthe words",
        b"Content-Transfer-Encoding: base64\n\n!!! the words, not base64 !!!",
        b"Content-Transfer-Encoding: no-such-encoding\n\nthe words",
        b"Content-Type: text\n\nthe words",
        b"Content-Type: multipart/mixed; boundary=missing\n\nthe words",
        b"Content-Type: text/plain; charset*0*=%ff''\n\nthe words",
        b"Subject: =?utf-8?q?=ff=fe?= =?bogus?x?y?=\n\nthe words",
        b"Subject: bare \xfc\xe4 bytes\n\nthe words \xe9",
    ],
)
def test_broken_encodings_do_not_fail_the_mail(broken: bytes) -> None:
    """A message is read whatever its charset and transfer encoding claim."""
    text = said(b"From: a@example.org\nMIME-Version: 1.0\n" + broken)
    assert "From: a@example.org" in text
    assert "the words" in text or "base64" in broken.decode("latin-1")


def test_forwarded_message_is_read_with_its_headers() -> None:
    """A message inside a message is part of the text."""
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "inner@example.org", "the original"
    inner.set_content("first words")
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "outer@example.org", "Fwd"
    outer.set_content("see below")
    outer.add_attachment(inner)
    text = said(outer.as_bytes())
    assert text.index("see below") < text.index("inner@example.org") < text.index("first words")


def test_no_part_lies_too_deep_to_be_read() -> None:
    """Neither in parts of parts nor in messages that were forwarded again and again."""
    parts = b"From: a@example.org\nSubject: deep\nMIME-Version: 1.0\n"
    for number in range(60):
        parts += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number)
    assert "the innermost part" in said(parts + b"Content-Type: text/plain\n\nthe innermost part\n")
    forwarded = b"From: z@example.org\nSubject: first\n\nthe first letter\n"
    for number in range(60):
        head = b"From: a@example.org\nSubject: again %d\nMIME-Version: 1.0\n" % number
        forwarded = head + b"Content-Type: message/rfc822\n\n" + forwarded
    text = said(forwarded)
    assert text.index("again 59") < text.index("again 0") < text.index("the first letter")
    assert all(f"again {number}\n" in text for number in range(60))


def test_deep_nesting_ends() -> None:
    """A message nested a thousand deep is read without running out of stack."""
    head = b"From: a@example.org\nSubject: deep\nMIME-Version: 1.0\n"
    nested = b"Content-Type: message/rfc822\n\n" * 900
    text = said(head + nested + b"From: z@example.org\n\nend")
    assert "Subject: deep" in text


def test_form_feeds_part_pages() -> None:
    """Plain text with form feeds has that many pages, numbered from one."""
    pages = text.read(b"one\ftwo\f\fthree\f", OPTIONS)
    assert [(page.number, page.text) for page in pages] == [
        (1, "one"), (2, "two"), (3, ""), (4, "three"),
    ]  # fmt: skip
    assert pages[2].source is PageSource.BLANK


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_text_is_decoded(encoding: str) -> None:
    """Text comes out the same whatever Unicode encoding it came in."""
    data = "Straße, café und Übermut: fünf Wörter mit Umlauten.".encode(encoding)
    assert text.read(data, OPTIONS)[0].text.startswith("Straße, café und Übermut")


def test_characters_that_cannot_be_stored_are_dropped() -> None:
    """Zero bytes and other controls never reach the database."""
    (page,) = text.read(b"a" * 200 + b"\x00b\x01\r\nc  \n\n\n\n\n\nd", OPTIONS)
    assert page.text == "a" * 200 + "b\nc\n\n\nd"


def test_a_piece_of_a_message_says_that_the_rest_is_missing() -> None:
    """RFC 2046, 5.2.2: what is there is read, and an unreadable page stands for the rest."""
    piece = b'Subject: Part\nContent-Type: message/partial; id="a"; number=1; total=3\n\nWords\n'
    first, rest = mail.read(piece, OPTIONS)
    assert "Subject: Part" in first.text
    assert (rest.number, rest.text, rest.source) == (2, "", PageSource.UNREADABLE)
