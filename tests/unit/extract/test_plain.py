"""Text in whatever encoding an office somewhere writes it."""

# ruff: noqa: RUF001 - the letters are what is tested

from __future__ import annotations

import pytest

from inbox.extract import plain

GERMAN = "Sehr geehrte Frau Müller, anbei die Rechnung über 12,50 EUR. Mit freundlichen Grüßen\n"
FRENCH = "Veuillez trouver ci-joint la facture n° 12, relative à l’été dernier et payée à Paris.\n"
SPANISH = "Estimado señor Núñez, le enviamos la factura del año pasado. ¿Puede confirmar esto?\n"
ENGLISH = "The client’s “final” offer – £12 – was accepted. It’s fine, we’re glad to hear it.\n"
POLISH = "Proszę o zapłatę załączonej faktury w ciągu trzydziestu dni. Dziękujemy.\n"
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Děkujeme za úhradu faktury v řádném termínu.\n"
RUSSIAN = "Пожалуйста, оплатите счёт в течение тридцати дней. Благодарим за сотрудничество.\n"
GREEK = "Παρακαλούμε εξοφλήστε το συνημμένο τιμολόγιο εντός τριάντα ημερών.\n"
TURKISH = "Lütfen ekteki faturayı otuz gün içinde ödeyiniz. Teşekkür ederiz, görüşmek üzere.\n"
JAPANESE = "請求書を送付いたします。ご確認ください。よろしくお願いいたします。\n"
CHINESE = "请查收附件中的发票。谢谢合作。请于三十日内付款。\n"
KOREAN = "첨부된 청구서를 확인하시고 삼십일 이내에 지불해 주십시오. 감사합니다.\n"


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        (GERMAN, "utf-8"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-32"),
        (FRENCH, "cp1252"),
        (SPANISH, "latin-1"),
        (ENGLISH, "cp1252"),
        (CZECH, "cp1250"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (GREEK, "cp1253"),
        (TURKISH, "cp1254"),
        (JAPANESE, "shift_jis"),
        (CHINESE, "gb18030"),
        (KOREAN, "euc_kr"),
    ],
    ids=range(17),
)
def test_encodings_are_told_by_the_bytes(text: str, encoding: str, times: int) -> None:
    """A letter of one line, and one of many, keep every character."""
    assert plain.decode((text * times).encode(encoding)) == text * times


def test_a_word_too_short_for_statistics_is_western() -> None:
    """What most such files are."""
    assert plain.decode("Grüße".encode("cp1252")) == "Grüße"
