"""The database's roles: what each service, and who reads or writes with SQL, may do.

They are groups without a password. Whoever connects is a login that is a member of one, so that
people may make logins as their platform wants them made.
"""

import hmac
import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import pbkdf2_hmac, sha256
from types import MappingProxyType
from typing import Final

from parley.db import rules
from parley.db.pool import Connection
from parley.db.schema.base import OPERATIONS


class Role(StrEnum):
    """A role of Parley; its name in PostgreSQL has `parley_` before it."""

    GATEWAY = "gateway"
    PERSISTER = "persister"
    SEALER = "sealer"
    ANALYZER = "analyzer"
    ACTIVITY = "activity"
    READER = "reader"
    WRITER = "writer"

    @property
    def pg_name(self) -> str:
        """The name in PostgreSQL."""
        return f"parley_{self.value}"


# Those see every tenant's rows; readers and writers see what their login may.
SERVICES: Final = (Role.GATEWAY, Role.PERSISTER, Role.SEALER, Role.ANALYZER, Role.ACTIVITY)

VERBS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role may do with a table, as letters: r(ead), i(nsert), u(pdate), d(elete)."""

    table: str
    letters: str

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verbs in PostgreSQL's words."""
        names = dict(zip("riud", VERBS, strict=True))
        return tuple(names[letter] for letter in self.letters)


def _grants(letters: str, *tables: str) -> tuple[Grant, ...]:
    return tuple(Grant(table, letters) for table in tables)


_SPOKEN: Final = (
    *("conversations", "conversation_sessions", "conversation_messages"),
    *("segments", "verdicts", "user_preferences"),
)
_ACTIVITY: Final = (f"{OPERATIONS}.activity", f"{OPERATIONS}.activity_partitions")
_PASSES: Final = ("pass_definitions", "pass_activations", "pass_subscriptions")
_JOBS: Final = tuple(
    f"{OPERATIONS}.{name}" for name in ("jobs", "charges", "budget_days", "run_spend", "memo")
)
_PEOPLE: Final = (
    *_grants("r", *_SPOKEN, "message_versions", "conversation_events", "segment_revisions"),
    *_grants("r", "tenants", *rules.VIEWS),
)
GRANTS: Final = MappingProxyType(
    {
        Role.GATEWAY: (
            *_grants("r", *_SPOKEN, "conversation_events", "segment_revisions", "fences"),
            *_grants("r", *_ACTIVITY, "current_segments"),
            *_grants("riu", f"{OPERATIONS}.backfill_runs"),
            # How far the passes have come.
            *_grants("r", f"{OPERATIONS}.backfill_partitions", f"{OPERATIONS}.jobs", *_PASSES),
            *_grants("r", f"{OPERATIONS}.run_spend", f"{OPERATIONS}.suspensions"),
            *_grants("r", f"{OPERATIONS}.foreign_passes"),
        ),
        Role.PERSISTER: (
            *_grants("riu", *_SPOKEN, "conversation_events", "fences", "ledger"),
            *_grants("ri", "message_versions", "segment_revisions"),
            *_grants("rid", "dead_letters"),
            *_grants("riud", "tenants", "api_keys", "retention", "gap_policies"),
            *_grants("riud", *_PASSES, "webhooks"),
            *_grants("riud", "outbox", "ledger_minutes"),
            *_grants("rud", f"{OPERATIONS}.inbox"),
        ),
        Role.SEALER: (
            *_grants("riu", "fences", "sealer_partitions"),
            *_grants("riud", "outbox", "sealer_windows", "sealer_segments", "sealer_members"),
            *_grants("riud", "sealer_cuts", "sealer_sessions"),
        ),
        Role.ANALYZER: (
            *_grants("riu", "fences", *_JOBS, f"{OPERATIONS}.backfill_partitions"),
            *_grants("ru", f"{OPERATIONS}.backfill_runs"),
            *_grants("riud", "outbox", f"{OPERATIONS}.job_histories", f"{OPERATIONS}.suspensions"),
            *_grants("riud", f"{OPERATIONS}.foreign_passes"),
            *_grants("r", "webhooks"),
            *_grants("riud", f"{OPERATIONS}.webhook_deliveries", f"{OPERATIONS}.webhook_attempts"),
            *_grants("riu", f"{OPERATIONS}.webhook_states", f"{OPERATIONS}.webhook_starts"),
            # Of the events only when they came: after a grow, places say nothing about order.
            *_grants("r", "conversation_messages", "message_versions", "conversation_events"),
            # Backfills ask what is current, and what is covered; webhooks are told what verdicts
            # say when it goes out, so that no copy of it is kept.
            *_grants("r", "segments", "segment_revisions", "verdicts"),
        ),
        Role.ACTIVITY: _grants("riud", *_ACTIVITY),
        Role.READER: _PEOPLE,
        # Messages are written by record_message(), and by it alone.
        Role.WRITER: _PEOPLE,
    }
)


async def create(connection: Connection) -> None:
    """Make the roles that are missing, and give all of them exactly their rights."""
    for role in Role:
        # Roles belong to the whole server: another database's may be made at the same moment.
        await connection.execute(
            f"DO $$ BEGIN CREATE ROLE {role.pg_name} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    await grant(connection)


async def grant(connection: Connection) -> None:
    """Give the roles that there are their rights in this database, and take any other."""
    names = await connection.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", [one.pg_name for one in Role]
    )
    present = [role for role in Role if role.pg_name in {row["rolname"] for row in names}]
    schema = await connection.fetchval("SELECT quote_ident(current_schema())")
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    lines = await _service_policies(connection, present)
    for role in present:
        lines += _statements(role, schema, database)
    # Where there are no roles there is nothing to say, and the driver cannot say nothing.
    if lines:
        await connection.execute("\n".join(lines))


def _statements(role: Role, schema: str, database: str) -> Iterable[str]:
    name = role.pg_name
    for place in (schema, OPERATIONS):
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {place} FROM {name};"
        yield f"GRANT USAGE ON SCHEMA {place} TO {name};"
    for one in GRANTS[role]:
        yield f"GRANT {', '.join(one.verbs)} ON {one.table} TO {name};"
    if role is Role.PERSISTER:
        yield f"GRANT TEMPORARY ON DATABASE {database} TO {name};"
    if role is Role.WRITER:
        yield f"GRANT EXECUTE ON FUNCTION record_message TO {name};"


async def _service_policies(connection: Connection, present: Iterable[Role]) -> list[str]:
    """Services see all tenants' rows of the tables that they may use."""
    services = [role for role in present if role in SERVICES]
    lines = []
    for table in rules.tenant_tables():
        name = table.fullname
        users = [one.pg_name for one in services if name in {grant.table for grant in GRANTS[one]}]
        # A policy locks its table for a moment, so one that is right is left alone.
        if await connection.fetchval(_POLICY_ROLES, name) != sorted(users):
            lines.append(f"DROP POLICY IF EXISTS service_rows ON {name};")
            if users:
                lines.append(
                    f"CREATE POLICY service_rows ON {name} TO {', '.join(users)} "
                    "USING (true) WITH CHECK (true);"
                )
    return lines


_POLICY_ROLES: Final = """
SELECT coalesce(array_agg(rolname::text ORDER BY rolname::text COLLATE "C"), '{}')
  FROM pg_policy JOIN pg_roles ON pg_roles.oid = ANY (polroles)
 WHERE polname = 'service_rows' AND polrelid = $1::text::regclass
"""


@dataclass(frozen=True, slots=True)
class Login:
    """Who connects: a member of a role.

    A reader or writer sees the rows of its tenant, or of its user there; with neither, those of
    the tenant that its connection names.
    """

    name: str
    role: Role
    tenant_id: str | None = None
    user_id: str | None = None


async def create_login(connection: Connection, login: Login, password: str) -> None:
    """Make a login, in the caller's transaction; raises asyncpg.DuplicateObjectError."""
    quoted = await connection.fetchval("SELECT quote_ident($1)", login.name)
    # Its verifier, so that no log of the server can hold the password.
    await connection.execute(f"CREATE ROLE {quoted} LOGIN PASSWORD '{scram_verifier(password)}'")
    await connection.execute(f"GRANT {login.role.pg_name} TO {quoted}")
    if login.role not in SERVICES:
        await connection.execute(_ADD_LOGIN, login.name, login.tenant_id, login.user_id)


async def put_login(connection: Connection, login: Login, password: str) -> bool:
    """Make a service's login, or give the one that there is this password.

    In the caller's transaction; returns whether it was made. Raises ValueError where the name is
    anybody else's.
    """
    if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", login.name):
        await create_login(connection, login, password)
        return True
    if [one for one in await logins(connection) if one.name == login.name] != [login]:
        raise ValueError(login.name)
    quoted = await connection.fetchval("SELECT quote_ident($1)", login.name)
    await connection.execute(f"ALTER ROLE {quoted} PASSWORD '{scram_verifier(password)}'")
    return False


async def drop_login(connection: Connection, name: str) -> None:
    """Drop a login, in the caller's transaction; its connections end when they end."""
    quoted = await connection.fetchval("SELECT quote_ident($1)", name)
    await connection.execute(f"DROP ROLE {quoted}")
    await connection.execute("DELETE FROM operations.logins WHERE login = $1", name)


async def logins(connection: Connection) -> list[Login]:
    """The logins that are members of Parley's roles, by name."""
    rows = await connection.fetch(_LOGINS, [role.pg_name for role in Role])
    return [
        Login(
            row["login"],
            Role(row["role"].removeprefix("parley_")),
            row["tenant_id"],
            row["user_id"],
        )
        for row in rows
    ]


_ADD_LOGIN: Final = "INSERT INTO operations.logins (login, tenant_id, user_id) VALUES ($1, $2, $3)"

_LOGINS: Final = """
SELECT member.rolname::text AS login, role.rolname::text AS role, known.tenant_id, known.user_id
  FROM pg_auth_members
  JOIN pg_roles AS role ON role.oid = roleid
  JOIN pg_roles AS member ON member.oid = pg_auth_members.member
  LEFT JOIN operations.logins AS known ON known.login = member.rolname
 WHERE role.rolname = ANY ($1) AND member.rolcanlogin AND NOT member.rolsuper
 ORDER BY 1, 2
"""

_ROUNDS: Final = 4_096
_SALT_BYTES: Final = 16


def scram_verifier(password: str) -> str:
    """What PostgreSQL keeps of a password (RFC 5803); the password is plain ASCII."""
    salt = secrets.token_bytes(_SALT_BYTES)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ROUNDS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
