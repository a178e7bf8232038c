"""How many connections there may be: in all, of one user, and from one address."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

# One IPv6 customer has a whole network of this size, and so as many addresses as he likes.
_IPV6_NETWORK_BITS: Final = 64


class Limit(StrEnum):
    """The limit that was reached; also a metric's label."""

    CONNECTIONS = "connections"
    CONNECTIONS_PER_USER = "connections_per_user"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"


@dataclass(slots=True)
class _Place:
    """Where one connection is counted; empty is nowhere."""

    address: str
    user: str = ""


class Admission:
    """Counts the open connections; each limit of 0 is none, and "" is nobody and not limited.

    What it remembers are the connections that are open, and nothing of those that have left.
    """

    def __init__(self, max_total: int, max_per_user: int, max_per_address: int) -> None:
        self._max_total = max_total
        self._max_per_user = max_per_user
        self._max_per_address = max_per_address
        self._places: dict[str, _Place] = {}
        self._per_user: Counter[str] = Counter()
        self._per_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    def admit(self, connection_id: str, address: str) -> Limit | None:
        """Count a connection that wants to come in; what it is refused for is not counted."""
        if connection_id in self._places:
            raise ValueError("a connection is admitted once")
        network = network_of(address)
        if _is_reached(self._max_total, len(self._places)):
            return Limit.CONNECTIONS
        if network and _is_reached(self._max_per_address, self._per_address[network]):
            return Limit.CONNECTIONS_PER_ADDRESS
        self._places[connection_id] = _Place(network)
        _add(self._per_address, network)
        return None

    def name(self, connection_id: str, user: str) -> Limit | None:
        """An admitted connection says whose it is; refused, it is still open and nobody's."""
        place = self._places[connection_id]
        if place.user == user:
            return None
        if user and _is_reached(self._max_per_user, self._per_user[user]):
            return Limit.CONNECTIONS_PER_USER
        _remove(self._per_user, place.user)
        _add(self._per_user, user)
        place.user = user
        return None

    def leave(self, connection_id: str) -> None:
        """A connection is closed; once more, or one that was refused, changes nothing."""
        place = self._places.pop(connection_id, None)
        if place is not None:
            _remove(self._per_address, place.address)
            _remove(self._per_user, place.user)

    def counted(self) -> tuple[Counter[str], Counter[str]]:
        """Open connections by user and by address; who has none is not among them."""
        return self._per_user.copy(), self._per_address.copy()


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        # A socket's path, or a test's name: it is what it is.
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), _IPV6_NETWORK_BITS), strict=False))


def _is_reached(limit: int, count: int) -> bool:
    return limit != 0 and count >= limit


def _add(counter: Counter[str], key: str) -> None:
    if key:
        counter[key] += 1


def _remove(counter: Counter[str], key: str) -> None:
    if key:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
