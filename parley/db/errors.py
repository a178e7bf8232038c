"""Which database errors pass by themselves, so that the same transaction may be tried again."""

from typing import Final

import asyncpg

# SQLSTATE classes and codes: connection, insufficient resources (disk full), operator
# intervention (shutdown); deadlock, serialisation, lock not available, idle transaction ended.
TRANSIENT_CLASSES: Final = ("08", "53", "57")
TRANSIENT_CODES: Final = ("40P01", "40001", "55P03", "25P03")


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction can succeed later without anybody changing anything."""
    if isinstance(error, asyncpg.PostgresError):
        code = str(error.sqlstate or "")
        return code.startswith(TRANSIENT_CLASSES) or code in TRANSIENT_CODES
    # A broken connection shows as an interface error of a closed connection, or as the socket's.
    return isinstance(error, asyncpg.InterfaceError | OSError | TimeoutError)
