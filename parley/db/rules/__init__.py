"""Functions, views and row-level security: what the tables need besides themselves.

They are no migrations but made anew wherever they differ from this release's: `parley db upgrade`
does it after the tables, in the same transaction.
"""

from hashlib import sha256
from importlib.resources import files
from typing import Final

from sqlalchemy import Table

from parley.db.pool import Connection
from parley.db.schema import metadata

_FUNCTIONS: Final = (
    "record_message",
    "operations.derived_id",
    "operations.my_user",
    "operations.my_tenant",
    "operations.is_owner",
)
_MARK: Final = """
SELECT obj_description(oid, 'pg_proc') FROM pg_proc
 WHERE proname = $1 AND pronamespace = current_schema()::regnamespace
"""

VIEWS: Final = (
    "active_sessions",
    "completed_sessions",
    "average_session_duration",
    "daily_counts",
    "current_segments",
    "verdicts_current",
)

# What a login that is bound to a user sees of its tenant's rows, by table. It sees nothing of
# those that are not named here: raw events hold what everybody in a room said.
_IS_MINE: Final = "user_id = (SELECT operations.my_user())"
_IN_MINE: Final = (
    "EXISTS (SELECT FROM conversations AS own WHERE own.tenant_id = {table}.tenant_id "
    "AND own.conversation_id = {table}.conversation_id AND own." + _IS_MINE + ")"
)
_OF_USER: Final = {
    "conversations": _IS_MINE,
    "conversation_sessions": _IS_MINE,
    "user_preferences": _IS_MINE,
    "conversation_messages": f"{_IS_MINE} OR (user_id IS NULL AND {_IN_MINE})",
    "segments": _IN_MINE,
    "segment_revisions": _IN_MINE,
    "verdicts": _IN_MINE,
}


def tenant_tables() -> list[Table]:
    """The tables whose rows belong to tenants, each of which has a policy."""
    return [table for table in metadata.sorted_tables if "tenant_id" in table.c]


def script(schema: str) -> str:
    """The statements that make everything, for tables in `schema`; they may run again."""
    texts = [_text("identity.sql"), _text("writing.sql").replace("{schema}", schema), _views()]
    return "\n".join([*texts, *(_policy(table) for table in tenant_tables())])


def _text(name: str) -> str:
    return (files(__package__) / name).read_text()


def _views() -> str:
    # A view that lost a column cannot be replaced.
    return "\n".join([_no_views(), _text("views.sql")])


def _no_views() -> str:
    return "\n".join(f"DROP VIEW IF EXISTS {name};" for name in VIEWS)


def _policy(table: Table) -> str:
    name = table.fullname
    of_user = _OF_USER.get(name, "false").format(table=table.name)
    return (
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;\n"
        f"DROP POLICY IF EXISTS tenant_rows ON {name};\n"
        f"CREATE POLICY tenant_rows ON {name} FOR SELECT USING (\n"
        "  tenant_id = (SELECT operations.my_tenant())\n"
        f"  AND ((SELECT operations.my_user()) IS NULL OR {of_user}));"
    )


async def apply(connection: Connection) -> bool:
    """Make everything that differs, within the caller's transaction; whether anything did."""
    wanted = script(await connection.fetchval("SELECT quote_ident(current_schema())"))
    mark = f"rules {sha256(wanted.encode()).hexdigest()}"
    # Policies lock their tables for a moment, so what is there already is left alone.
    if await connection.fetchval(_MARK, "record_message") == mark:
        return False
    await connection.execute(f"{wanted}\nCOMMENT ON FUNCTION record_message IS '{mark}';")
    return True


async def drop_views(connection: Connection) -> None:
    """Drop the views, which would stay with tables that are exchanged for others."""
    await connection.execute(_no_views())


async def make_views(connection: Connection) -> None:
    """Make the views of the tables that there are now; nobody has rights on them yet."""
    await connection.execute(_views())


async def remove(connection: Connection) -> None:
    """Take everything away, so that the tables can be changed or dropped."""
    drops = [_no_views()]
    for table in tenant_tables():
        if await connection.fetchval("SELECT to_regclass($1)", table.fullname) is not None:
            drops.append(f"DROP POLICY IF EXISTS tenant_rows ON {table.fullname};")
            drops.append(f"ALTER TABLE {table.fullname} DISABLE ROW LEVEL SECURITY;")
    if await connection.fetchval("SELECT to_regnamespace('operations')") is not None:
        drops += [f"DROP FUNCTION IF EXISTS {name};" for name in _FUNCTIONS]
    await connection.execute("\n".join(drops))
