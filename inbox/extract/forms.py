"""What was filled into the fields of a PDF form: no part of the text layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_PASSWORD_FLAG = 1 << 13
_MAX_PARENTS = 20


def filled_in(opened: Any) -> dict[int, list[str]]:
    """Values by page index, in the order of the fields."""
    found: dict[int, list[str]] = {}
    if "/AcroForm" not in opened.Root:
        return found
    for index, page in enumerate(opened.pages):
        values = [value for value in map(_value, _widgets(page)) if value]
        if values:
            found[index] = list(dict.fromkeys(values))
    return found


def missing(values: list[str], text: str) -> list[str]:
    """The values that do not stand in the text already."""
    flat = " ".join(text.split())
    return [value for value in values if " ".join(value.split()) not in flat]


def _widgets(page: Any) -> Iterator[Any]:
    try:
        for annotation in page.get("/Annots", []):
            if annotation.get("/Subtype") == "/Widget":
                yield annotation
    except (TypeError, ValueError, AttributeError, KeyError):  # a damaged list of annotations
        return


def _value(widget: Any) -> str:
    try:
        kind = str(_inherited(widget, "/FT"))
        flags = int(_inherited(widget, "/Ff") or 0)
        if kind not in {"/Tx", "/Ch"} or (kind == "/Tx" and flags & _PASSWORD_FLAG):
            return ""
        value = _inherited(widget, "/V")
        return "" if value is None else str(value).strip()
    except (TypeError, ValueError, AttributeError, KeyError, NotImplementedError):
        return ""


def _inherited(field: Any, key: str) -> Any:
    """A field's own entry, or that of the fields above it."""
    for _ in range(_MAX_PARENTS):
        if key in field:
            return field[key]
        if "/Parent" not in field:
            return None
        field = field["/Parent"]
    return None
