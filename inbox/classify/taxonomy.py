"""The labels: the default set, and the rules for a caller's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from inbox.classify.words import fold
from inbox.errors import InvalidLabels
from inbox.model import Label

FEWEST_LABELS = 2
MOST_LABELS = 200
LONGEST_NAME = 64
LONGEST_DESCRIPTION = 1000
MOST_CUES = 50
LONGEST_CUE = 100
MOST_EXAMPLES = 20
LONGEST_EXAMPLE = 4000
MOST_LEARNED = 50  # examples of a label that corrections add
MOST_BYTES = 1024 * 1024  # of a whole list, as JSON

DEFAULT_LABELS: tuple[Label, ...] = tuple(
    Label(name=name, description=description)
    for name, description in (
        ("invoice", "A request for payment for goods or services that were delivered."),
        ("receipt", "Proof of a payment: till receipts, card slips, restaurant bills."),
        ("contract", "An agreement between parties, or an amendment to one."),
        ("resume", "A person's experience, education and skills; a curriculum vitae."),
        ("letter", "Correspondence with a salutation and a closing, sent to a person outside."),
        ("memo", "An internal note to colleagues: to, from, date, subject."),
        ("form", "A form with fields to fill in, empty or filled in."),
        ("report", "An account of facts and figures: annual reports, statistics, findings."),
        ("bank_statement", "The transactions and balances of an account over a period."),
        ("identity_document", "A passport, identity card, driving licence or visa."),
        ("email", "A message with mail headers, or a printed one."),
        ("scientific_article", "A paper with abstract, methods, results and references."),
        ("news_article", "A story from a newspaper, news agency or news site."),
        ("other", "Anything else: manuals, patents, specifications, slides, advertisements, code."),
    )
)

# What people call the default labels in their own lists.
_ALIASES: dict[str, str] = {
    "invoice": "invoices|bill|bills|rechnung|rechnungen|facture|factures|factura|"
    "facturas|fattura|fatture|factuur|facturen|faktura|supplier invoice",
    "receipt": "receipts|sales receipt|till receipt|quittung|quittungen|kassenbon|beleg|belege|"
    "kassenbeleg|ticket de caisse|recibo|recibos|scontrino|kassabon|expense receipt",
    "contract": "contracts|agreement|agreements|lease|nda|vertrag|vertrage|"
    "contrat|contrats|contrato|contratos|contratto|overeenkomst|legal agreement",
    "resume": "resumes|cv|cvs|curriculum vitae|curricula vitae|lebenslauf|lebenslaufe|curriculum|"
    "curriculums|curriculos|hoja de vida|hojas de vida|curricolo|curricula|cv s|"
    "job application|candidate profile",
    "letter": "letters|correspondence|business letter|brief|lettre|carta",
    "memo": "memos|memorandum|memoranda|internal note",
    "form": "forms|application form|questionnaire|formular|formulaire|tax form",
    "report": "reports|annual report|bericht|rapport|informe|study report|financial report",
    "bank_statement": "bank statements|account statement|statement of account|kontoauszug|"
    "releve de compte|extracto bancario|bank account statement|statements of account",
    "identity_document": "identity documents|id|id card|id document|identity card|passport|"
    "passports|driving licence|drivers license|driver license|identification|ausweis|"
    "proof of identity",
    "email": "emails|e mail|e mails|mail|mails|email message|e mail message",
    "scientific_article": "scientific articles|scientific paper|research paper|paper|papers|"
    "journal article|academic paper|publication|research article|academic article",
    "news_article": "news articles|news|newspaper article|press article|news story|press clipping",
    "other": "others|misc|miscellaneous|anything else|something else|everything else|sonstiges|"
    "autre|otro|rest|unknown|none of these",
}


def key(name: str) -> str:
    """What makes two names the same: case, accents and punctuation do not count."""
    return " ".join(fold(name))


ALIASES: Mapping[str, str] = {
    alias: label
    for label, names in _ALIASES.items()
    for alias in (key(label), *(key(part) for part in names.split("|")))
}


def is_default(labels: Sequence[Label]) -> bool:
    """Whether these are the default labels, perhaps with examples."""
    told = tuple((label.name, label.description, label.cues) for label in labels)
    return told == tuple((label.name, label.description, label.cues) for label in DEFAULT_LABELS)


def with_examples(
    labels: Sequence[Label] | None, examples: Iterable[tuple[str, str]]
) -> tuple[Label, ...]:
    """The labels (the default ones if None) with more examples.

    Args:
        labels: what to choose from.
        examples: names of labels and a text of each, the most telling first; of labels that are
            not among `labels`, nothing is taken, and of each label so many as one may have.
    """
    texts: dict[str, list[str]] = {}
    for name, text in examples:
        texts.setdefault(name, []).append(text[:LONGEST_EXAMPLE])
    return tuple(
        label.model_copy(
            update={"examples": (*label.examples, *texts.get(label.name, ())[:MOST_LEARNED])}
        )
        for label in (DEFAULT_LABELS if labels is None else labels)
    )


def parse_labels(value: object) -> tuple[Label, ...]:
    """A caller's own labels.

    Args:
        value: a list of names or of objects with `name`, and perhaps `description`, `cues` and
            `examples`; or such a list as JSON
            text; or names parted by commas.

    Raises:
        InvalidLabels: the message is a sentence for the caller.
    """
    items = _items(value)
    labels = tuple(_label(item, number) for number, item in enumerate(items, 1))
    check_labels(labels)
    if sum(len(label.model_dump_json().encode()) for label in labels) > MOST_BYTES:
        raise InvalidLabels(f"The labels are larger than {MOST_BYTES} bytes.")
    return labels


def check_labels(labels: Sequence[Label]) -> None:
    """Refuse lists that cannot be told apart.

    Raises:
        InvalidLabels: too few, too many, or two names that differ in case only.
    """
    if not FEWEST_LABELS <= len(labels) <= MOST_LABELS:
        raise InvalidLabels(
            f"{FEWEST_LABELS} to {MOST_LABELS} labels are needed; {len(labels)} were given."
        )
    seen: dict[str, int] = {}
    for number, label in enumerate(labels, 1):
        first = seen.setdefault(label.name.casefold(), number)
        if first != number:
            raise InvalidLabels(f"Labels {first} and {number} have the same name.")


def _items(value: object) -> Sequence[object]:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            raise InvalidLabels("The list of labels is empty.")
        if text[0] not in "[{":
            return [part for part in (item.strip() for item in text.split(",")) if part]
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidLabels("The labels start like JSON but are not valid JSON.") from None
    if isinstance(value, list | tuple):
        return value
    raise InvalidLabels(
        "Labels must be a list of names, a list of objects with name and description, "
        "or names parted by commas."
    )


def _label(item: object, number: int) -> Label:
    if isinstance(item, Label):
        return item
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, dict):
        raise InvalidLabels(f"Label {number} must be a name or an object with a name.")
    unknown = set(item) - {"name", "description", "cues", "examples"}
    if unknown:
        raise InvalidLabels(
            f"Label {number} has fields other than name and description, cues and examples."
        )
    name, description = item.get("name"), item.get("description") or ""
    if not isinstance(name, str) or not isinstance(description, str):
        raise InvalidLabels(f"The name and the description of label {number} must be text.")
    name, description = name.strip(), " ".join(description.split())
    _check_text(name, description, number)
    cues = _texts(item.get("cues"), MOST_CUES, LONGEST_CUE, f"cues of label {number}")
    examples = _texts(
        item.get("examples"), MOST_EXAMPLES, LONGEST_EXAMPLE, f"examples of label {number}"
    )
    try:
        return Label(name=name, description=description, cues=cues, examples=examples)
    except ValidationError:
        raise InvalidLabels(f"Label {number} cannot be used.") from None


def _texts(value: object, most: int, longest: int, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise InvalidLabels(f"The {what} must be a list of texts.")
    if len(value) > most:
        raise InvalidLabels(f"There are {len(value)} {what}; {most} are the most.")
    texts = tuple(text.strip() for text in value)
    if not all(any(map(str.isalnum, text)) and "\0" not in text for text in texts):
        raise InvalidLabels(f"The {what} must each have at least one letter or digit, and no NUL.")
    if any(len(text) > longest for text in texts):
        raise InvalidLabels(f"One of the {what} is longer than {longest} characters.")
    return texts


def _check_text(name: str, description: str, number: int) -> None:
    if not fold(name):
        raise InvalidLabels(f"Label {number} needs a name with at least one letter or digit.")
    if not name.isprintable():
        raise InvalidLabels(f"The name of label {number} has characters that cannot be printed.")
    if len(name) > LONGEST_NAME:
        raise InvalidLabels(f"The name of label {number} is longer than {LONGEST_NAME} characters.")
    if not description.isprintable():
        raise InvalidLabels(
            f"The description of label {number} has characters that cannot be printed."
        )
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidLabels(
            f"The description of label {number} is longer than {LONGEST_DESCRIPTION} characters."
        )
