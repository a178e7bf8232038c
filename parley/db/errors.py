"""Which database errors pass by themselves, so that the same transaction may be tried again."""

from typing import Final

import asyncpg

# SQLSTATE classes and codes: connection, insufficient resources (disk full), operator
# intervention (shutdown); deadlock, serialisation, a statement whose end is not known, lock not
# available, a transaction ended because it was idle or too long, the disk's own error.
TRANSIENT_CLASSES: Final = ("08", "53", "57")
TRANSIENT_CODES: Final = ("40P01", "40001", "40003", "55P03", "25P03", "25P04", "58030")
# What asyncpg says where the server has said that it ends the connection, and has not closed it
# yet: the client still waits for the rest.
_OTHER_OPERATION: Final = "cannot switch to state"


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction can succeed later without anybody changing anything."""
    if isinstance(error, asyncpg.PostgresError):
        code = str(error.sqlstate or "")
        return code.startswith(TRANSIENT_CLASSES) or code in TRANSIENT_CODES
    if isinstance(error, asyncpg.InternalClientError):
        return _OTHER_OPERATION in str(error)
    if isinstance(error, asyncpg.InterfaceError):
        # A closed connection, unless asyncpg could not send a value, which it quotes.
        return not isinstance(error, ValueError)
    # A broken connection also shows as the socket's error.
    return isinstance(error, OSError | TimeoutError)


def describe(error: BaseException) -> str:
    """A transient error for people: its kind and the server's first line, which holds no content.

    The details below that line may quote values, and are left out.
    """
    code = f" ({error.sqlstate})" if isinstance(error, asyncpg.PostgresError) else ""
    first, *_ = str(error.args[0] if error.args else "").splitlines() or [""]
    return f"{type(error).__name__}{code}{': ' if first else ''}{first}"
