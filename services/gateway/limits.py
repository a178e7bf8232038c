"""How much one connection, one user and one address may ask of this gateway."""

from math import ceil
from typing import Final

from parley import clock
from services.gateway import metrics
from services.gateway.core.admission import Admission, Limit
from services.gateway.core.rates import RateBook, TokenBucket
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings

# When to try again where nobody knows when somebody else will go.
RETRY_AFTER_MS: Final = 5_000

_WORDS: Final = {
    Limit.CONNECTIONS: "this gateway has as many connections as it may",
    Limit.CONNECTIONS_PER_USER: "this user has as many connections as one may",
    Limit.CONNECTIONS_PER_ADDRESS: "this address has as many connections as one may",
}


class Limits:
    """The limits of the settings, and how far each is used; all raise Refused."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._admission = Admission(
            settings.gateway_max_connections,
            settings.gateway_max_connections_per_user,
            settings.gateway_max_connections_per_address,
        )
        self._users = RateBook(settings.gateway_rate_per_user, settings.gateway_burst_per_user)

    def admit(self, connection_id: str, address: str) -> None:
        """Count a connection that wants to come in."""
        self._refuse(self._admission.admit(connection_id, address))

    def name(self, connection_id: str, user: str) -> None:
        """Count an admitted connection for its user; empty is nobody, and not limited."""
        self._refuse(self._admission.name(connection_id, user))

    def leave(self, connection_id: str) -> None:
        """A connection is closed."""
        self._admission.leave(connection_id)

    def bucket(self) -> TokenBucket:
        """What one connection may send."""
        settings = self._settings
        return TokenBucket(
            settings.gateway_rate_per_connection, settings.gateway_burst_per_connection
        )

    def spend(self, user: str, bucket: TokenBucket | None = None, count: int = 1) -> None:
        """Take frames from a connection's bucket and from its user's."""
        now_s = clock.monotonic()
        if bucket is not None and (wait_s := bucket.take(now_s, count)) > 0:
            raise _refused_for_now("rate_per_connection", wait_s)
        if user and (wait_s := self._users.take(user, now_s, count)) > 0:
            raise _refused_for_now("rate_per_user", wait_s)

    def _refuse(self, limit: Limit | None) -> None:
        if limit is not None:
            metrics.LIMIT_REFUSALS.labels(limit).inc()
            raise Refused(Code.TOO_MANY_CONNECTIONS, _WORDS[limit], RETRY_AFTER_MS)


def _refused_for_now(limit: str, wait_s: float) -> Refused:
    metrics.LIMIT_REFUSALS.labels(limit).inc()
    return Refused(Code.RATE_LIMITED, "too many frames in a short time", ceil(wait_s * 1000))


def user_key(tenant_id: str, user_id: str) -> str:
    """Under which name a user's share is counted; nobody has none."""
    return f"{tenant_id}\0{user_id}" if user_id else ""
