"""Where webhooks may go."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from inbox.errors import UrlRefused
from inbox.interface import Verdict
from inbox.webhooks.courier import LONGEST_PAUSE_SECONDS, Courier, verdict_of
from inbox.webhooks.guard import check_url, is_public, resolve

INNER = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:53aa:64c::1",
]


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_not_public(address: str) -> None:
    """Loopback, private, link-local, metadata, multicast, reserved; wrapped in IPv6 too."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are(address: str) -> None:
    """The public internet."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://",
        "https://user:pass@example.com/",
        "https://user@example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://exämple.com/",
        "https://example.com/\nHost: x",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "",
        "example.com",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Without TLS, with a password, of another kind, or of an inner address."""
    with pytest.raises(UrlRefused):
        check_url(url)


def test_a_url_that_may_be_used() -> None:
    """Host, port and path with its query are kept."""
    assert check_url("https://example.com:8443/a?b=c") == ("https", "example.com", 8443, "/a?b=c")
    assert check_url("https://example.com") == ("https", "example.com", 443, "/")


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"]])
def test_a_name_that_leads_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    """One inner address among its addresses is enough."""
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(answers))
    with pytest.raises(UrlRefused):
        resolve("https://example.com/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_other_ways_to_write_loopback_are_refused(host: str) -> None:
    """The resolver understands them, so what it answers is looked at."""
    with pytest.raises((UrlRefused, OSError)):
        resolve(f"https://{host}/")


def test_the_address_that_was_looked_at_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL that is opened holds the address; the name stays for Host and the certificate."""
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["2606:4700::1111"]))
    target = resolve("https://example.com:8443/a?b")
    assert target.url == "https://[2606:4700::1111]:8443/a?b"
    assert (target.host, target.authority) == ("example.com", "example.com:8443")


def test_what_answers_mean() -> None:
    """2xx is a delivery, 410 the end, all else is tried again."""
    assert {verdict_of(status) for status in (200, 201, 204, 299)} == {Verdict.DELIVERED}
    assert verdict_of(410) == Verdict.GONE
    others = (None, 100, 300, 301, 307, 400, 404, 429, 500, 503)
    assert {verdict_of(status) for status in others} == {Verdict.RETRY}


def test_pauses_grow_to_a_cap() -> None:
    """Four times as long each time, by a fifth more or less, at most half a day."""
    courier = Courier(None, timeout=1, first_pause=5)  # type: ignore[arg-type]
    for attempt, steady in ((1, 5), (2, 20), (3, 80), (9, LONGEST_PAUSE_SECONDS)):
        for _ in range(50):
            assert 0.8 * steady <= courier.pause(attempt) <= 1.2 * steady
    assert len({courier.pause(3) for _ in range(50)}) > 1


def _resolver(answers: list[str]) -> object:
    def getaddrinfo(*_: object, **__: object) -> list[object]:
        return [(None, None, None, "", (address, 0)) for address in answers]

    return getaddrinfo
