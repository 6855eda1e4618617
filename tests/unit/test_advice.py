"""What people are told to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import inbox
from inbox.advice import ANYTHING_ELSE, REASONS, REMEDIES, remedy
from inbox.errors import Busy, InboxError, PermanentError, TransientError


def kinds(kind: type[InboxError]) -> Iterator[type[InboxError]]:
    """The errors below one."""
    for child in kind.__subclasses__():
        yield child
        yield from kinds(child)


def test_every_error_of_a_file_has_a_remedy() -> None:
    """Whatever a file may fail with, a person is told what to do, in a sentence."""
    of_requests = {Busy}
    for kind in {*kinds(PermanentError), *kinds(TransientError)} - of_requests:
        assert remedy(kind.code) != ANYTHING_ELSE, kind.code
    for sentence in (*REMEDIES.values(), *REASONS.values()):
        assert sentence[0].isupper()
        assert sentence.endswith("."), sentence


def test_every_reason_for_review_is_explained() -> None:
    """Each code that a classifier gives as a reason is one that the page can say."""
    sources = Path(inbox.__file__).parent.joinpath("classify").rglob("*.py")
    codes = set()
    for source in sources:
        text = source.read_text()
        for block in re.findall(r"checks = \((.*?)\n    \)\n", text, re.DOTALL):
            codes |= set(re.findall(r'^\s*\(\s*"([a-z_]+)",', block, re.MULTILINE))
        codes |= set(re.findall(r'review_reasons=\("([a-z_]+)"', text))
    assert len(codes) >= 9
    assert codes <= set(REASONS), codes - set(REASONS)
