"""Where messages may be sent: public addresses, over TLS.

A URL that somebody registers must not make this server speak to itself, to its neighbours or to
a cloud's metadata service. The name is resolved once, every address that it has must be a public
one, and the connection goes to the address that was checked: a name that changes between the
look and the connection gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from inbox.errors import UrlRefused

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"http": 80, "https": 443}


class Target(NamedTuple):
    """A URL taken apart, and the address to connect to."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def url(self) -> str:
        """The same URL with the address in place of the name."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def authority(self) -> str:
        """What belongs into the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, *, allow_private: bool = False) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of a URL that may be used, as far as can be told unresolved.

    Raises:
        UrlRefused: it may not.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlRefused("this is not a URL") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in PORTS or not host or not url.isascii() or not url.isprintable():
        raise UrlRefused("a URL with https, a host name and ASCII characters is needed")
    if parts.scheme == "http" and not allow_private:
        raise UrlRefused("the URL must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("the URL must not hold a user name or password")
    literal = _literal(host)
    if literal is not None and not (allow_private or is_public(literal)):
        raise UrlRefused("the URL names an address that is not public")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or PORTS[parts.scheme], path


def resolve(url: str, *, allow_private: bool = False) -> Target:
    """Where to connect for a URL. Asks the resolver, so it may take a while.

    Raises:
        UrlRefused: the URL may not be used, or one of its addresses is not public.
        OSError: the name has no address.
    """
    scheme, host, port, path = check_url(url, allow_private=allow_private)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise UrlRefused("this host name cannot be one") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private:
        for address in addresses:
            if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                raise UrlRefused("the host name leads to an address that is not public")
    return Target(scheme, host, port, path, addresses[0])


def is_public(address: IPAddress) -> bool:
    """Whether an address is of the public internet, and so is any that is wrapped in it."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _nat64(address)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
