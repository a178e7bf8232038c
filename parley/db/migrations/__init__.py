"""Brings the database's tables to this release's, by Alembic revisions kept in this package."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from parley.db import roles, rules
from parley.db.pool import CONNECT_TIMEOUT_S, unreachable
from parley.db.schema.base import OPERATIONS
from parley.settings import Settings

FOLDER: Final = Path(__file__).parent
# Any constant: two upgrades at the same moment take turns.
UPGRADE_LOCK: Final = 7_261_305

Result = TypeVar("Result")


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    # Alembic's name for the default schema is None.
    return kind != "schema" or name in (None, OPERATIONS)


# What Alembic compares with the metadata: both schemas, and no other that the database has.
COMPARED: Final[dict[str, Any]] = {"include_schemas": True, "include_name": _is_ours}


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The revision that the database has (None: no tables yet) and the newest one there is."""

    current: str | None
    newest: str

    @property
    def is_newest(self) -> bool:
        """Whether there is nothing to upgrade."""
        return self.current == self.newest


async def upgrade(settings: Settings, revision: str = "head") -> SchemaVersion:
    """Bring the tables to `revision`, in one transaction; does nothing when they are there.

    Functions, views, policies and the rights of the roles come with the newest revision. Raises
    UserError where the database cannot be reached.
    """
    async with _upgrading(settings) as link:
        await link.run_sync(lambda plain: command.upgrade(config_for(plain), revision))
        if await link.run_sync(_current) == newest():
            connection = await _driver_of(link)
            await rules.apply(connection)
            await roles.grant(connection)
    return await version(settings)


async def downgrade(settings: Settings, revision: str) -> SchemaVersion:
    """Take the tables back to `revision` ("base": none at all), in one transaction.

    Functions, views and policies are gone then: the older release's upgrade makes its own.
    """
    async with _upgrading(settings) as link:
        await rules.remove(await _driver_of(link))
        await link.run_sync(lambda plain: command.downgrade(config_for(plain), revision))
    return await version(settings)


async def version(settings: Settings) -> SchemaVersion:
    """Which revision the database has; raises UserError where it cannot be reached."""
    async with connection(settings) as link:
        current = await link.run_sync(_current)
    return SchemaVersion(current, newest())


def newest() -> str:
    """The newest revision of this release."""
    head = ScriptDirectory.from_config(config_for(None)).get_current_head()
    if head is None:
        raise RuntimeError("this package holds no revision")
    return head


def config_for(link: Connection | None) -> Config:
    """Alembic's configuration for that connection, without an ini file."""
    # What Alembic would print is said by the commands.
    config = Config(stdout=StringIO())
    # Alembic's configuration treats a percent sign as the start of an interpolation.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = link
    return config


@asynccontextmanager
async def connection(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """SQLAlchemy's view of the same database that asyncpg uses, by the same URL."""

    async def connect() -> asyncpg.Connection:
        url = settings.database_url.get_secret_value()
        try:
            return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            raise unreachable(error) from error

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as link:
        yield link


@asynccontextmanager
async def _upgrading(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A transaction that no other upgrade meets."""
    async with connection(settings) as link, link.begin():
        await link.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        yield link


async def _driver_of(link: AsyncConnection) -> asyncpg.Connection:
    """asyncpg's connection within, in the same transaction: it runs whole scripts."""
    return (await link.get_raw_connection()).driver_connection


def _current(link: Connection) -> str | None:
    return MigrationContext.configure(link).get_current_revision()
