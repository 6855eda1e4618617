"""Hide numbers and addresses of people from a model, and put them back into what it says."""

from __future__ import annotations

import re
from collections.abc import Callable

from inbox.model import Document

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \u00a0-]?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_SHORTEST_IBAN = 15
_CARD = re.compile(r"(?<![\d.,])\d(?:[ \u00a0-]?\d){12,18}(?![\d]|[.,]\d)")
_MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# International with a plus, national with a bracketed or leading zero, or after a word for it.
_PHONE = re.compile(
    r"(?<![\w+])\+\d{1,3}(?:[ \u00a0./()-]{0,3}\d){6,13}(?!\d)"
    r"|(?<![\w.,-])\(\d{2,5}\)[ \u00a0]?\d(?:[ \u00a0./-]?\d){4,10}(?!\d)"
    r"|(?<![\w.,/-])0\d{1,4}[ \u00a0/-]\d(?:[ \u00a0/-]?\d){4,10}(?![\d.,/-]\d|\d)"
    r"|(?<![\w.,-])\d{3}[ \u00a0.-]\d{3}[ \u00a0.-]\d{4}(?![\d-])"
    r"|(?:(?<=tel: )|(?<=tel\. )|(?<=tel )|(?<=phone: )|(?<=phone )|(?<=fax: )|(?<=fax )"
    r"|(?<=telefon: )|(?<=telefon )|(?<=mobile: ))\d(?:[ \u00a0./()-]{0,2}\d){5,14}(?!\d)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"\[(?:IBAN|card|e-mail|phone) \d{1,5}\]")


class Redaction:
    """A document with placeholders such as `[IBAN 1]`, and the way back.

    Found are IBANs whose check digits are right (ISO 13616, mod 97), card numbers (Luhn, ISO/IEC
    7812), e-mail addresses, and phone numbers in common spellings. It is a filter, not a proof:
    what is spelled otherwise, or misread by OCR, passes.

    Attributes:
        document: what a model may see.
    """

    def __init__(self, document: Document) -> None:
        self._places: dict[tuple[str, str], str] = {}
        pages = (
            page.model_copy(update={"text": self._hidden(page.text)}) for page in document.pages
        )
        self.document = document.model_copy(update={"pages": tuple(pages)})
        self._originals = {place: text for (_, text), place in self._places.items()}

    def restore(self, text: str) -> str:
        """`text` with what stood where its placeholders stand."""
        return _PLACE.sub(lambda found: self._originals.get(found[0], found[0]), text)

    def _hidden(self, text: str) -> str:
        text = _IBAN.sub(self._iban, text)
        text = _CARD.sub(self._if("card", _is_card), text)
        text = _MAIL.sub(self._if("e-mail", bool), text)
        return _PHONE.sub(self._if("phone", bool), text)

    def _iban(self, found: re.Match[str]) -> str:
        # Words in capitals may follow; the longest stretch whose check digits are right counts.
        for end in range(len(found[0]), _SHORTEST_IBAN - 1, -1):
            candidate = found[0][:end]
            if candidate[-1].isalnum() and is_iban(candidate):
                return self._place("IBAN", candidate) + found[0][end:]
        return found[0]

    def _if(self, kind: str, holds: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
        return lambda found: self._place(kind, found[0]) if holds(found[0]) else found[0]

    def _place(self, kind: str, text: str) -> str:
        number = sum(known == kind for known, _ in self._places) + 1
        return self._places.setdefault((kind, text), f"[{kind} {number}]")


def is_iban(text: str) -> bool:
    """Whether the check digits are those of an IBAN (ISO 13616)."""
    solid = re.sub(r"[^A-Z0-9]", "", text)
    if len(solid) < _SHORTEST_IBAN:
        return False
    return int("".join(str(int(char, 36)) for char in solid[4:] + solid[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = (sum(divmod(digit * 2, 10)) for digit in digits[-2::-2])
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
