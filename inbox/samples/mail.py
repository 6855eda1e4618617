"""A Spanish e-mail with an attachment, and the movements of a German account as CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from inbox.samples.sheet import Font, Sheet, pdf

MESSAGE = """\
Hola, Iker:

Te mando en el archivo adjunto el programa de las jornadas, ya con los cambios que hablamos el
lunes. He movido el taller de encuadernación a la tarde para que Rosalía llegue sin prisas desde
Zaragoza.

¿Me confirmas antes del viernes si la sala pequeña tiene proyector? Si no, pido uno prestado en la
escuela.

Un abrazo,
Nerea

--
Nerea Goikoetxea
Taller de Papel, Bilbao

El 11 may 2026, a las 18:20, Iker Salaberria <iker@sala.example> escribió:
> Buenas, Nerea. ¿Tienes ya el programa definitivo? Lo necesito para el cartel.
> Gracias, Iker
"""

STATEMENT = """\
Kontoauszug;Nr. 3/2026;;;
Kontoinhaber;Annegret Süß;;;
IBAN;DE02 5001 0517 5407 3249 31;;;
Zeitraum;01.03.2026 bis 31.03.2026;;;
Buchungstag;Wertstellung;Verwendungszweck;Betrag (EUR);Saldo (EUR)
01.03.2026;01.03.2026;Anfangssaldo;;2.418,77
02.03.2026;02.03.2026;Dauerauftrag Miete März Wohnbau eG;-784,00;1.634,77
04.03.2026;04.03.2026;Kartenzahlung Bäckerei Trautwein;-8,45;1.626,32
06.03.2026;06.03.2026;Lastschrift Stadtwerke Strom Abschlag;-61,00;1.565,32
09.03.2026;10.03.2026;Kartenzahlung Supermarkt Ostertor;-73,18;1.492,14
12.03.2026;12.03.2026;Überweisung Zahnarztpraxis Dr. Yildiz;-120,00;1.372,14
15.03.2026;16.03.2026;Bargeldauszahlung Geldautomat;-150,00;1.222,14
18.03.2026;18.03.2026;Gutschrift Erstattung Krankenkasse;96,00;1.318,14
20.03.2026;20.03.2026;Lastschrift Verkehrsbetriebe Deutschlandticket;-63,00;1.255,14
27.03.2026;27.03.2026;Gehalt März Buchhandlung Feder & Kiel;2.306,40;3.561,54
30.03.2026;30.03.2026;Entgelt Kontoführung;-3,90;3.557,64
31.03.2026;31.03.2026;Endsaldo;;3.557,64
"""


def message() -> bytes:
    """An e-mail with a PDF attached."""
    mail = EmailMessage()
    mail["From"] = "Nerea Goikoetxea <nerea@papel.example>"
    mail["To"] = "Iker Salaberria <iker@sala.example>"
    mail["Cc"] = "Rosalía Urrutia <rosalia@libro.example>"
    mail["Subject"] = "Re: Programa de las jornadas"
    mail["Date"] = format_datetime(datetime(2026, 5, 12, 9, 14, tzinfo=UTC))
    mail["Message-ID"] = "<20260512091400.7731@papel.example>"
    mail.set_content(MESSAGE)
    programme = pdf([_programme()], title="Programa")
    mail.add_attachment(
        programme, maintype="application", subtype="pdf", filename="programa_v3.pdf"
    )
    mail.set_boundary("=_sample_4711")
    return mail.as_bytes()


def _programme() -> Sheet:
    sheet = Sheet()
    sheet.middle(297, 120, "Jornadas del libro hecho a mano", Font.SERIF_BOLD, size=24)
    sheet.middle(297, 150, "Bilbao, 6 y 7 de junio de 2026", Font.SERIF, size=14)
    programme = [
        ("10:00", "Bienvenida y café"),
        ("10:30", "Papel de algodón: de la tela a la hoja"),
        ("12:00", "Visita a la imprenta antigua"),
        ("16:00", "Taller de encuadernación, con Rosalía Urrutia"),
        ("18:30", "Mesa redonda: ¿quién lee todavía a mano?"),
    ]
    for number, (hour, title) in enumerate(programme):
        sheet.text(120, 210 + 30 * number, hour, Font.SERIF_BOLD, size=13)
        sheet.text(180, 210 + 30 * number, title, Font.SERIF, size=13)
    return sheet


def statement() -> bytes:
    """A German bank statement, in the encoding that banks use for it."""
    return STATEMENT.replace("\n", "\r\n").encode("cp1252")
