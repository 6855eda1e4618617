"""Text that speaks to a language model instead of a reader."""

from __future__ import annotations

import re

from inbox.classify.taxonomy import DEFAULT_LABELS
from inbox.model import Document

_LABELS = "|".join(label.name.replace("_", "[ _]") for label in DEFAULT_LABELS)
# For text in one case: to search without regard to case takes three times as long.
_PATTERNS = re.compile(
    r"(?:ignore|disregard|forget|override|bypass)\s{1,9}(?:\w+\s{1,9}){0,4}"
    r"(?:previous|prior|above|earlier|preceding|system|all)\s{1,9}(?:\w+\s{1,9}){0,3}"
    r"(?:instruction|prompt|rule|direction|context|message|guideline)"
    r"|(?:new|updated|real|system|important|override)\s{1,9}(?:system\s{1,9})?(?:instruction|prompt)s?\s{0,9}:"
    r"|^\W{0,9}(?:system|assistant|developer)\s{0,9}(?:prompt|message)?\s{0,9}:\s"
    r"|<\|?\s{0,3}/?(?:im_start|im_end|system|assistant|endoftext|endofprompt)\s{0,3}\|?>|\[/?inst\]|<</?sys>>"
    r"|(?:as|you\s{1,9}are|act\s{1,9}as|note\s{1,9}to)\s{1,9}(?:now\s{1,9})?(?:an?\s{1,9}|the\s{1,9})?"
    r"(?:ai|llm|language\s{1,9}model|chatgpt|document\s{1,9}classifier|classification\s{1,9}(?:model|system))\b"
    r"|(?:classify|label|categori[sz]e|tag|mark)\s{1,9}(?:this|the)\s{1,9}(?:document|file|text|page)\s{1,9}(?:as|with)\b"
    r"|(?:respond|reply|answer|output|return)\s{1,9}(?:only\s{1,9})?(?:with|as)\s{1,9}(?:only\s{1,9})?"
    r"(?:the\s{1,9})?(?:label|category|class|json|word)\b"
    r"|(?:the\s{1,9})?(?:correct|right|only\s{1,9}valid)\s{1,9}(?:label|category|classification)\s{1,9}(?:for\s{1,9}this\s{1,9}\w+\s{1,9})?is\b"
    r"|^\W{0,9}(?:\w{1,20}\s)?(?:classification|label|class)\s{0,9}[:=]\W{0,9}"
    rf"(?:{_LABELS})\W{{0,9}}$"
    r"|do\s{1,9}not\s{1,9}(?:flag|send)\s{1,9}(?:this\s{1,9})?(?:\w+\s{1,9})?for\s{1,9}(?:human\s{1,9}|manual\s{1,9})?review"
    r"|(?:ignoriere|vergiss|missachte)\s{1,9}(?:\w+\s{1,9}){0,3}(?:anweisung|instruktion|befehl)"
    r"|(?:ignore[zr]?|oublie[zr]?)\s{1,9}(?:\w+\s{1,9}){0,3}(?:instructions|consignes)"
    r"|(?:ignora|olvida)\s{1,9}(?:\w+\s{1,9}){0,3}(?:instrucciones|istruzioni)",
    re.MULTILINE,
)
_SEARCHED = 400_000
_MOST_HIDDEN = 40  # characters; marks of printing programs are fewer


def hostile_reasons(document: Document) -> tuple[str, ...]:
    """Why a document may be made to mislead, as stable codes; empty where nothing speaks for it."""
    checks = (
        ("instructions_in_text", speaks_to_model(document.text)),
        ("hidden_text", sum(page.hidden for page in document.pages) > _MOST_HIDDEN),
    )
    return tuple(code for code, holds in checks if holds)


def speaks_to_model(text: str) -> bool:
    """Whether `text` holds phrases that are meant to steer a language model."""
    return bool(_PATTERNS.search(text[:_SEARCHED].casefold()))
