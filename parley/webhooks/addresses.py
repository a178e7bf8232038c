"""Says where requests may go: public addresses by TLS, and others only where a setting allows it.

Whoever may add a webhook could otherwise let the server ask what only the server can reach: its
neighbours, its own ports, a cloud's metadata.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from parley.errors import UserError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL_CHARS: Final = 2_000
_PORTS: Final = {"https": 443, "http": 80}
# IPv4 addresses within IPv6 ones: whoever routes these reaches those.
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_TEREDO: Final = IPv6Network("2001::/32")
_COMPATIBLE: Final = IPv6Network("::/96")


class ForbiddenAddress(Exception):
    """Requests do not go there; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `path` begins with a slash and has the query with it."""

    host: str
    port: int
    path: str
    is_tls: bool

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == _PORTS["https" if self.is_tls else "http"]
        return host if is_usual else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Where a URL leads; raises UserError for one that cannot be used."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise _unusable("it cannot be read") from error
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise _unusable(f"it must have at most {MAX_URL_CHARS:,} characters, ASCII without spaces")
    if parts.scheme not in _PORTS:
        raise _unusable("it must begin with https://")
    if not host or port == 0:
        raise _unusable("it names no host")
    if parts.username is not None or parts.password is not None:
        raise _unusable("it holds a user or a password; a secret belongs to its path")
    if parts.fragment:
        raise _unusable("it has a fragment (#…), which is never sent")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, port or _PORTS[parts.scheme], path, parts.scheme == "https")


def _unusable(why: str) -> UserError:
    return UserError(f"The URL cannot be used: {why}.", "Write one such as https://example.com/in.")


def check(target: Target, addresses: Iterable[str], allowed: Sequence[Network]) -> str:
    """The address to connect to, once all that the name stands for may be asked.

    Raises ForbiddenAddress. All of them, so that no second answer of a name server slips by.
    """
    found = [ip_address(one.partition("%")[0]) for one in addresses]
    if not found:
        raise ForbiddenAddress("the name has no address")
    for one in found:
        is_allowed = any(one.version == net.version and one in net for net in allowed)
        if is_allowed:
            continue
        kind = forbidden_kind(one)
        if kind is not None:
            raise ForbiddenAddress(f"the name leads to a {kind} address")
        if not target.is_tls:
            raise ForbiddenAddress("http:// is only for networks that a setting names")
    return str(found[0])


def forbidden_kind(address: Address) -> str | None:
    """What kind of address it is, where requests do not go to such ones; None for public ones."""
    inner = embedded(address)
    if inner is not None:
        return forbidden_kind(inner) or "translated"
    # From the narrow to the wide: loopback is private too.
    kinds = (
        (address.is_unspecified, "unspecified"),
        (address.is_loopback, "loopback"),
        (address.is_link_local, "link-local"),
        (address.is_multicast, "multicast"),
        (isinstance(address, IPv6Address) and address.is_site_local, "private"),
        (address.is_private, "private"),
        (address.is_reserved or not address.is_global, "reserved"),
    )
    return next((name for is_such, name in kinds if is_such), None)


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address within an IPv6 one."""
    if isinstance(address, IPv4Address):
        return None
    number = int(address)
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _SIX_TO_FOUR:
        return IPv4Address((number >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        return IPv4Address(~number & 0xFFFFFFFF)
    is_inside = any(address in net for net in _NAT64) or (address in _COMPATIBLE and number > 1)
    return IPv4Address(number & 0xFFFFFFFF) if is_inside else None
