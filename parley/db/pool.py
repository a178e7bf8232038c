"""Connects to PostgreSQL with the time limits that the fence relies on."""

import ssl

import asyncpg

from parley.db.times import carry_times
from parley.errors import UserError
from parley.settings import Settings

CONNECT_TIMEOUT_S = 10

# A process that was paused inside a transaction must let go of the fence before Kafka's session
# timeout lets another take over; statements and lock waits end before that wait does.
TIME_LIMITS = {
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
}

# The limits above do not see a client that stops between a statement's Parse and its Bind: the
# server then waits for the rest of a query, neither idle nor running. From version 17 on this one
# ends any transaction; it is longer than any batch takes. A client that stops within a COPY is seen
# by none of them: who claims its partition ends it (`parley.db.fence.claim`).
TRANSACTION_LIMIT = {"transaction_timeout": "20s"}
FIRST_WITH_TRANSACTION_LIMIT = 17

Pool = asyncpg.Pool
Connection = asyncpg.Connection


class Pooled(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that is given back as it is: a pool's own question would double the round trips.

    What asyncpg asks a server each time undoes settings, advisory locks and channels of a session.
    Nobody who shares a pool makes any, but within a transaction; open ones are rolled back still.
    """

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


# A replay stands in nobody's way. What it loses to a crash of the server it reads again.
REPLAYED = {"synchronous_commit": "off"}


async def connect(
    settings: Settings, max_size: int = 8, min_size: int = 1, schema: str | None = None
) -> "asyncpg.Pool":
    """A pool of connections; raises UserError where the database cannot be reached.

    With a `min_size` of 0 it connects when it is first used, and raises nothing here. With a
    `schema` it finds the tables there, and nowhere else: they are replayed into.
    """
    url = settings.database_url.get_secret_value()
    try:
        # One that connects later holds no fence.
        limits = await _time_limits(url) if min_size else TIME_LIMITS
        own = limits if schema is None else {"search_path": schema, **REPLAYED}
        return await asyncpg.create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            timeout=CONNECT_TIMEOUT_S,
            connection_class=Pooled,
            init=carry_times,
            server_settings={
                "application_name": "parley",
                "timezone": "UTC",
                # Rows are copied as UTF-8, whatever the address asks for.
                "client_encoding": "utf-8",
                **own,
            },
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise unreachable(error) from error


async def _time_limits(url: str) -> dict[str, str]:
    """The limits that this server knows; an unknown one would be refused."""
    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    try:
        major = connection.get_server_version().major
    finally:
        await connection.close()
    return TIME_LIMITS | (TRANSACTION_LIMIT if major >= FIRST_WITH_TRANSACTION_LIMIT else {})


def unreachable(error: Exception) -> UserError:
    """What to tell a person whose database cannot be used."""
    # The URL holds a password, so only the server's own words are shown.
    return UserError(f"Cannot use the database: {error or type(error).__name__}.", _remedy(error))


def _remedy(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (
            "DATABASE_URL's sslrootcert=FILE names the authority that signed the server's "
            "certificate; with sslmode=verify-full the certificate has to name the host."
        )
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError) and (
        "no encryption" in str(error)
    ):
        return (
            "The server lets nobody in without TLS: add "
            "?sslmode=verify-full&sslrootcert=FILE to DATABASE_URL."
        )
    return (
        "Start one with `parley local up`, or correct DATABASE_URL "
        "(postgresql://user:password@host:port/name)."
    )
