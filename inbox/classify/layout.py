"""Properties of a page that are not words: amounts in rows, blanks to fill in, mail headers.

Every feature is 0 where it is absent, about 1 where it is typical, and at most 1.5. The patterns
have no nested repetition and see a bounded excerpt, so hostile text costs no more than any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inbox.classify import patterns
from inbox.classify.words import FUNCTION_WORDS, fold

_HEADERS_OF_A_MEMO = 3
_SHORT_LINE = 30
_LINES_OF_A_HEAD = 60
_LONGEST_HEAD = 300
_MOST_WORDS_OF_A_HEAD = 24
_FUNCTION_WORDS = 2


def measure(text: str, words: Sequence[str], media_type: str) -> Mapping[str, float]:
    """Every feature of `text`, by name.

    Args:
        text: the excerpt, as it was read.
        words: its folded words.
        media_type: type of the file.
    """
    found = {
        name: min(sum(1 for _ in pattern.finditer(text)) / typical, most)
        for name, (pattern, typical, most) in patterns.COUNTED.items()
    }
    found.update(_whole(text, words))
    found.update(_correspondence(text))
    found["is_mail"] = float(media_type in patterns.MAIL_TYPES)
    found["is_slides"] = float("presentation" in media_type or "powerpoint" in media_type)
    found["is_table"] = float(any(kind in media_type for kind in patterns.TABLE_TYPES))
    return found


def _whole(text: str, words: Sequence[str]) -> dict[str, float]:
    count = len(words)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    function = sum(word in FUNCTION_WORDS for word in words) / max(count, 1)
    amounts = sum(1 for _ in patterns.MONEY.finditer(text))
    return {
        "prose": _ramp(function, 0.25, 0.42) * _ramp(count, 20, 60),
        "money": min(amounts / max(6.0, 0.06 * count), 1.2),
        "long_text": _ramp(count, 500, 1200),
        "sparse": 1 - _ramp(count, 80, 200),
        "short_lines": _ramp(
            sum(len(line) < _SHORT_LINE for line in lines) / max(len(lines), 1), 0.3, 0.7
        ),
        "clock": float(bool(patterns.CLOCK.search(text))) * (1 - _ramp(count, 200, 450)),
        "first_person": _ramp(
            sum(1 for _ in patterns.FIRST_PERSON.finditer(text)) / max(count, 40), 0.02, 0.05
        ),
        "timetable": _timetable(text, count),
        "ledger_head": float(any(_names_columns(line) for line in lines[:_LINES_OF_A_HEAD])),
        "contact_head": float(bool(patterns.CONTACT.search(text[:500]))),
    }


def _timetable(text: str, words: int) -> float:
    times = sum(1 for _ in patterns.TIME_OF_DAY.finditer(text))
    return 1.2 * _ramp(times, 2, 6) * _ramp(times / max(words, 1), 0.03, 0.08)


def _names_columns(line: str) -> bool:
    """Whether a line names the columns of a list of transactions, not of goods."""
    if len(line) > _LONGEST_HEAD or not patterns.LEDGER_HEAD.match(line):
        return False
    words = set(fold(line))
    is_prose = len(words) > _MOST_WORDS_OF_A_HEAD or len(words & FUNCTION_WORDS) > _FUNCTION_WORDS
    return not is_prose and not patterns.OF_GOODS.search(line)


def _correspondence(text: str) -> dict[str, float]:
    top = text[:1600]
    headers = {header.lower() for header in patterns.HEADER.findall(top)}
    # Typewriters and OCR leave out colons; two lines that begin so may be chance, three are not.
    bare = {header.lower() for header in patterns.BARE_HEADER.findall(top)}
    if len(bare | headers) >= _HEADERS_OF_A_MEMO:
        headers |= bare
    has_address = "@" in top
    said = len(headers) + 0.7 * has_address
    is_memo = len(headers) >= _HEADERS_OF_A_MEMO and not (
        has_address or headers & {"sent", "bcc", "reply-to"}
    )
    salutation = bool(patterns.SALUTATION.search(text[:3500]))
    subject = patterns.SUBJECT_FIRST.match(text)
    # Letters in these languages have such a line too.
    formal = salutation and subject is not None and subject[1].lower() != "subject"
    return {
        "mail_head": _ramp(said, 1.5, 4.0),
        "memo_head": float(is_memo),
        "subject_first": float(subject is not None and not is_memo and not formal),
        "salutation": float(salutation),
        "greeting": float(bool(patterns.GREETING.search(top))),
        "closing": float(bool(patterns.CLOSING.search(text))),
        "typist": float(bool(patterns.TYPIST.search(text))),
        "letter_date": float(bool(patterns.LETTER_DATE.search(text[:900]))),
    }


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
