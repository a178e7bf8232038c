"""Runs a command's asynchronous work, and says in plain words what went wrong with it."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import uvloop
from aiokafka.errors import KafkaError

from parley.errors import UserError
from parley.log.connections import tell_of_closed_connections

Result = TypeVar("Result")

_TABLES_DIFFER = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)

# What can happen to anybody; everything else is a fault of the program, and ends with its trace.
_EXPECTED = (UserError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it to the end; raises UserError for what can happen to anybody."""
    try:
        tell_of_closed_connections()
        return uvloop.run(work)
    except (BaseExceptionGroup, *_EXPECTED) as error:
        cause = first_cause(error)
        if isinstance(cause, _EXPECTED):
            raise as_user_error(cause) from error
        raise


def first_cause(error: BaseException) -> BaseException:
    """The first error within nested groups; a task that fails makes groups around its error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def as_user_error(error: BaseException) -> UserError:
    """What a person is told of it; raises the error again where nobody expected it."""
    if isinstance(error, UserError):
        return error
    remedy = "See with `parley doctor` what is wrong, and run the command again."
    if isinstance(error, KafkaError):
        return UserError(f"Kafka failed: {type(error).__name__}.", remedy)
    if isinstance(error, _TABLES_DIFFER):
        return UserError(
            f"The database's tables are not this release's: {error}.",
            "Create or update them with `parley db upgrade`.",
        )
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return UserError(f"The database failed: {str(error) or type(error).__name__}.", remedy)
    if isinstance(error, OSError):
        return UserError(
            f"The machine refused something: {str(error) or type(error).__name__}.", remedy
        )
    raise error
