"""The patterns behind the layout features.

None has nested repetition, and all are applied to a bounded excerpt.
"""

# ruff: noqa: RUF001, ISC004 - real documents have such dashes; long patterns need two lines

from __future__ import annotations

import re

_ANY_CASE = re.MULTILINE | re.IGNORECASE
_MONTH = (
    "jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|janv|févr|avr|juin|juil|août|"
    "déc|ene|abr|ago|dic|mrt|mei|gen|mag|giu|lug|set|ott"
)
_DATE = (
    rf"(?:\d{{1,2}}[./-]\d{{1,2}}(?:[./-]\d{{2,4}})?|\d{{4}}-\d\d-\d\d|\d{{1,2}}[ -](?:{_MONTH})"
    rf"|(?:{_MONTH})[a-z.]{{0,8}} \d{{1,2}})"
)
_AMOUNT = r"\d[.,]\d\d(?!\d|[.,]\d)"

# feature: (pattern, how many are typical, most that it can be worth)
COUNTED: dict[str, tuple[re.Pattern[str], float, float]] = {
    name: (re.compile(pattern, flags), typical, most)
    for name, pattern, flags, typical, most in (
        ("mrz", r"[A-Z0-9][A-Z0-9<«]{4,60}[<«]{2}|<{3,}|[PIVAC]<[A-Z]{3}", 0, 1, 1.5),
        ("transactions", rf"^\W{{0,3}}{_DATE}\b[^\n]{{0,120}}{_AMOUNT}", _ANY_CASE, 5, 1.5),
        ("dates", r"\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b\d{4}-\d\d-\d\d\b", 0, 5, 1.2),
        (
            "year_spans",
            r"(?:19|20)\d\d ?(?:-|–|—|to|until|bis|à|al?) ?(?:[A-Za-z]{3,9}\.? ?)?"
            r"(?:(?:19|20)\d\d|present|current|now|today|date|till|heute|présent|actual|oggi|heden)",
            re.IGNORECASE,
            2,
            1.5,
        ),
        ("bullets", r"^\s{0,8}[•·▪●◦‣*–-]\s", re.MULTILINE, 6, 1.2),
        (
            "citations",
            r"\[ ?\d{1,3}(?:[ ,–-]{1,3}\d{1,3}){0,8} ?\]|\b(?:19|20)\d\d[a-z]?\)|\bet al\b",
            0,
            6,
            1.5,
        ),
        (
            "captions",
            r"^\W{0,3}(?:fig(?:ure|\.)?|table|tab\.|chart|exhibit) ?(?:\d|[IVX]{1,4}\b)",
            _ANY_CASE,
            2,
            1.2,
        ),
        (
            "speech",
            r"\b(?:said|says|told|added)\b|\bsagte\b|\bdijo\b|\ba déclaré\b",
            re.IGNORECASE,
            4,
            1.5,
        ),
        (
            "clauses",
            r"^\W{0,3}(?:section|article|clause|artikel|§|art\.) ?[\dIVX]"
            r"|^\s{0,8}\d{1,2}\.\d{1,2}\.?\s+[A-Z]"
            r"|^\s{0,8}\((?:[a-z]|i{1,3}|iv|v)\)\s",
            _ANY_CASE,
            5,
            1.5,
        ),
        (
            "paper_headings",
            r"^\W{0,3}(?:\d\.?|[IVX]{1,4}\.)? ?(?:abstract|introduction|(?:materials and )?methods?"
            r"|results(?: and discussion)?|discussion|references|acknowledge?ments?|related work)"
            r"\W{0,3}$",
            _ANY_CASE,
            2,
            1.5,
        ),
        ("quotations", r"[\"“„«][^\"“”»\n]{15,240}[,.!?…][\"”“»]", 0, 2, 1.5),
        ("blanks", r"_{4,}|(?:_ ){4,}|\.{12,}(?!\s*\d+\s*$)|…{4,}", re.MULTILINE, 4, 1.5),
        ("checkboxes", r"[☐☑☒□❑❏◻]|\[ ?[xX ]? ?\]|\( {1,2}\)|\b[O0o] (?:Yes|No)\b", 0, 3, 1.5),
        ("labels", r"^\W{0,3}[A-Z][^\n:]{1,32}:(?:\s|$)", re.MULTILINE, 8, 1.2),
        ("empty_labels", r"^\W{0,3}[A-Za-z][^\n:]{1,40}:[ \t_.]{0,40}$", re.MULTILINE, 4, 1.3),
        (
            "number_tables",
            r"^[^\n]{0,60}?(?:\s\(?\$?[\d][\d,.]*%?\)?){3,}\s*$",
            re.MULTILINE,
            8,
            1.3,
        ),
        ("toc", r"\.{4,}\s*\d+\s*$|(?:\. ){4,}\d+\s*$", re.MULTILINE, 5, 1.2),
        ("masked_card", r"(?:[xX*#•]{4}[ -]?){1,3}\d{4}\b", 0, 1, 1),
        (
            "code",
            r"[;{}]\s*$|^\s*(?:def |class |import |#include|public |return |function |</?\w+>)"
            r"|^\s*\"[\w.-]{1,40}\" ?: ",
            re.MULTILINE,
            10,
            1.5,
        ),
        (
            "log_lines",
            r"^[^\n]{8,60}\b(?:INFO|WARN(?:ING)?|ERROR|DEBUG|TRACE|FATAL|NOTICE)\b[^\n]{8}",
            re.MULTILINE,
            3,
            1.5,
        ),
        ("option_flags", r"(?:^|[\s\[|])--[a-z][\w-]+", re.MULTILINE, 4, 1.5),
        ("spec_words", r"\b\d+(?:\.\d+)? ?(?:mm|cm|kg|°C|psi|mg|ml|rpm|Hz|dB|kW)\b", 0, 6, 1.2),
        ("quoted_lines", r"^\s?>", re.MULTILINE, 2, 1.2),
        ("addresses", r"[\w.+-]{1,64}@[\w-]{1,60}\.\w", 0, 3, 1.3),
        (
            "sent_line",
            r"^\W{0,3}(?:sent|gesendet|envoyé|enviado|inviato|verzonden) ?:",
            _ANY_CASE,
            1,
            1,
        ),
        (
            "reply_subject",
            r"^\W{0,3}(?:subject|betreff|objet|asunto|oggetto|onderwerp) ?: ?"
            r"(?:re|fw|fwd|aw|wg|tr|rv) ?:",
            _ANY_CASE,
            1,
            1,
        ),
    )
}
SALUTATION = re.compile(
    r"^\W{0,3}(?:(?:my )?dear(?:est)?|respected|sehr geehrte|meine? (?:lieb|sehr)"
    r"|liebe[rs]?|chère?|estimad[oa]s?"
    r"|mu[iy] señor|querid[oa]|gentile|egregi[oa]?|spett|geachte|beste|madame|monsieur"
    r"|(?:ladies and )?gentlemen|to whom (?:it|this) may concern"
    r"|your (?:excellency|honou?r|lordship)|honou?rable (?:sir|judge)|prezad[oa]|ilm[oa]"
    r"|kære|bästa|szanown[aiey]|vážen[áýí]|tisztelt|hyvä|sayın|уважаем\w{2})\b[^\n]{0,80}$"
    r"|^\W{0,3}(?:sirs?|madam|hon(?:ou?rable|'?ble)? sir)\W{0,3}$"
    r"|^to the [^\n:]{3,40},\s*$",
    _ANY_CASE,
)
CLOSING = re.compile(
    r"^\W{0,3}(?:yours?|sincerely|very truly|respectfully|cordially|regards|gratefully"
    r"|affectionately|ever yours|(?:thanking you|thanks and regards|with (?:love|thanks))"
    r"|(?:kind|best|warm|with)[^\n]{0,20} (?:regards|wishes)|mit [^\n]{0,20}gr[uü](?:ß|ss)"
    r"|hochachtungsvoll|(?:bien )?cordialement|veuillez|je vous prie"
    r"|atentamente|un cordial saludo|saludos|cordiali saluti|distinti saluti|in fede"
    r"|met vriendelijke|hoogachtend|freundliche|(?:beste|herzliche|liebe) gr|bien à vous"
    r"|salutations|atenciosamente|med vänlig|med venlig|z poważaniem|s pozdravem|üdvözlettel"
    r"|saygılarım|с уважением)[^\n]{0,50}$",
    _ANY_CASE,
)
GREETING = re.compile(
    r"^\W{0,3}(?:hi|hello|hey|hallo|hej|ciao|hola|bonjour|salut|hoi|moin"
    r"|good (?:morning|afternoon))\b[^\n]{0,40}$",
    _ANY_CASE,
)
LETTER_DATE = re.compile(
    r"^[^\n\d]{0,30}(?:\d{1,2}\.? (?:de )?)?[A-Za-zéûä]{3,10}\.? "
    r"(?:\d{1,2}(?:st|nd|rd|th)?,? )?(?:de )?(?:19|20)\d\d\W{0,3}$",
    re.MULTILINE,
)
HEADER = re.compile(
    r"^\W{0,3}(from|to|cc|bcc|subject|sent|date|re|subj|reply-to|von|an|betreff|gesendet|datum|objet|"
    r"de|à|envoyé|asunto|para|enviado|fecha|oggetto|da|inviato|data|onderwerp|van|aan|verzonden)"
    r"\s{0,8}[:;]",
    _ANY_CASE,
)
BARE_HEADER = re.compile(
    r"^\W{0,3}(to|from|date|subject|von|an|datum|betreff|de|objet)[ \t.]{1,8}(?=[A-Z0-9])",
    re.MULTILINE | re.IGNORECASE,
)
# Mail that was kept without its other headers.
SUBJECT_FIRST = re.compile(r"\s{0,20}(subject|betreff|objet|asunto|oggetto) ?:", re.IGNORECASE)
# The initials of who dictated and who typed: WC:mlb, JKW/ph.
TYPIST = re.compile(r"^\W{0,2}[A-Z]{2,4} ?[:/] ?[a-z]{2,3}\W{0,2}$", re.MULTILINE)
MONEY = re.compile(_AMOUNT + r"|[$€£]\s?\d")
FIRST_PERSON = re.compile(
    r"\bI(?:'|’|\b(?![.)]))|\b(?:[Mm]y|me|[Ii]ch|[Mm]ein(?:e[mnrs]?)?|mir|mich|[Jj]e|[Jj]['’]|[Mm]on|[Mm]es"
    r"|[Yy]o|[Mm]is?|[Ii]o|[Mm]i[ao]|miei|[Ii]k|[Mm]ijn|[Ee]u|[Mm]inha|meu)\b"
)
TIME_OF_DAY = re.compile(r"\b[012]?\d[:h][0-5]\d\b|\b1?\d(?:\.[0-5]\d)? ?[ap]\.?m\b", re.IGNORECASE)
# A line that names the columns of a list of transactions: when, how much, and what or what is left.
LEDGER_HEAD = re.compile(
    r"^(?=[^\n]{0,300}\b(?:date|datum|fecha|data|buchungstag|buchungsdatum|boekdatum|posted|valuta"
    r"|dato)\b)"
    r"(?=[^\n]{0,300}\b(?:amount|betrag|bedrag|importe|montant|importo|valor|d[eé]bit|cr[eé]dit|soll"
    r"|haben|umsatz|belopp|kwota|částka|withdrawals?|deposits?|cargo|abono|dare|avere|beløp)\b)"
    r"(?=[^\n]{0,300}\b(?:balance|saldo|solde|payee|payer|narration|particulars|memo|transaction"
    r"|omschrijving|verwendungszweck|concepto|libellé|causale|descrizione|naam|tegenrekening"
    r"|kontostand|description|details|category|account|konto|text|opis|reference)\b)",
    re.IGNORECASE,
)
OF_GOODS = re.compile(
    r"\b(?:qty|quantity|hours|hrs|rate|price|unit|menge|preis|prix|precio|prezzo|items?|due)\b",
    re.IGNORECASE,
)
CLOCK = re.compile(r"\b[012]?\d:[0-5]\d(?::[0-5]\d)?\b")
CONTACT = re.compile(
    r"@\w|\+?\(?\d{2,4}\)?[ .-]\d{3}[ .-]?\d{2,4}|\b(?:phone|mobile|tel)\b", re.IGNORECASE
)
MAIL_TYPES = frozenset({"message/rfc822", "application/vnd.ms-outlook"})
TABLE_TYPES = ("csv", "spreadsheet", "ms-excel", "tab-separated")

# Features that a single line shows, so that the line can be quoted for them.
SEEN_IN_A_LINE: dict[str, re.Pattern[str]] = {
    **{
        name: COUNTED[name][0]
        for name in (
            "mrz",
            "transactions",
            "year_spans",
            "citations",
            "captions",
            "speech",
            "clauses",
            "blanks",
            "checkboxes",
            "number_tables",
            "masked_card",
            "code",
            "log_lines",
            "option_flags",
            "addresses",
            "sent_line",
            "reply_subject",
        )
    },
    "salutation": SALUTATION,
    "greeting": GREETING,
    "timetable": TIME_OF_DAY,
    "ledger_head": LEDGER_HEAD,
    "closing": CLOSING,
    "mail_head": HEADER,
    "memo_head": HEADER,
    "is_mail": HEADER,
    "money": MONEY,
}
