"""The stand-in for the library's language model."""

from __future__ import annotations

import subprocess
import sys

from inbox.extract import sentences


def test_sentences_end_at_their_marks() -> None:
    """A full stop inside a number, or at the very end, parts nothing."""
    said = 'He paid 3.50 for it. "Really?" Yes! The end.'
    assert sentences.sent_tokenize(said) == ["He paid 3.50 for it.", '"Really?', "Yes!", "The end."]
    assert sentences.sent_tokenize("  ") == []


def test_words_and_marks_are_apart() -> None:
    """A word keeps its apostrophe; every mark stands alone."""
    assert sentences.word_tokenize("It isn't, is it?") == ["It", "isn't", ",", "is", "it", "?"]
    assert sentences.pos_tag("one two") == [("one", ""), ("two", "")]


def test_the_library_is_content_with_it() -> None:
    """The library works without a language model, and never loads the one it would fetch."""
    program = (
        "import sys\n"
        "from inbox.extract import office\n"
        "parts = office.elements('html', b'<p>One sentence. Then another one.</p><ul><li>a</ul>')\n"
        "print(office.readable(parts)); print('spacy' in sys.modules)"
    )
    run = [sys.executable, "-W", "ignore", "-c", program]
    said = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.splitlines() == ["One sentence. Then another one.", "a", "False"]
