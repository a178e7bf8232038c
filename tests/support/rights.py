"""What a connection may really do with each table and view, tried out and changing nothing."""

from typing import Any

import asyncpg

from parley.db import rules
from parley.db.roles import GRANTS, Role
from parley.db.schema import metadata

Rights = set[tuple[str, str]]


def documented_rights(role: Role) -> Rights:
    """Tables with the verbs that the role is given."""
    return {(grant.table, verb) for grant in GRANTS[role] for verb in grant.verbs}


async def found_rights(connection: Any) -> Rights:
    """Tables and views with the verbs that the server takes."""
    tables = {table.fullname: table for table in metadata.sorted_tables}
    allowed = set()
    for name in (*tables, *rules.VIEWS):
        column = "tenant_id" if name in rules.VIEWS else _first_column(tables[name])
        for verb, statement in attempts(name, column).items():
            if await is_allowed(connection, statement):
                allowed.add((name, verb))
    return allowed


def _first_column(table: Any) -> str:
    return str(next(one.name for one in table.columns if one.computed is None and not one.identity))


def attempts(name: str, column: str) -> dict[str, str]:
    """A statement for each verb that changes nothing."""
    return {
        "SELECT": f"SELECT FROM {name} LIMIT 0",
        "INSERT": f"INSERT INTO {name} ({column}) SELECT NULL WHERE false",
        "UPDATE": f"UPDATE {name} SET {column} = NULL WHERE false",  # noqa: S608
        "DELETE": f"DELETE FROM {name} WHERE false",  # noqa: S608
        "TRUNCATE": f"TRUNCATE {name}",
    }


async def is_allowed(connection: Any, statement: str) -> bool:
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.WrongObjectTypeError):
        return False
    except asyncpg.ObjectNotInPrerequisiteStateError:
        # A view that cannot be written to, whoever tries.
        return False
    return True
