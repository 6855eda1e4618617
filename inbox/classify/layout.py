"""Properties of a page that are not words: amounts in rows, blanks to fill in, mail headers.

Every feature is 0 where it is absent, about 1 where it is typical, and at most 1.5. The patterns
have no nested repetition and see a bounded excerpt, so hostile text costs no more than any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inbox.classify import patterns
from inbox.classify.words import FUNCTION_WORDS

_HEADERS_OF_A_MEMO = 3
_SHORT_LINE = 30


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
        "contact_head": float(bool(patterns.CONTACT.search(text[:500]))),
    }


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
    return {
        "mail_head": _ramp(said, 1.5, 4.0),
        "memo_head": float(is_memo),
        "subject_first": float(not is_memo and bool(patterns.SUBJECT_FIRST.match(text))),
        "salutation": float(bool(patterns.SALUTATION.search(text[:3500]))),
        "closing": float(bool(patterns.CLOSING.search(text))),
        "typist": float(bool(patterns.TYPIST.search(text))),
        "letter_date": float(bool(patterns.LETTER_DATE.search(text[:900]))),
    }


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
