"""A real Kafka and a real PostgreSQL for every test that wants them."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import hypothesis
import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import create_mock_engine
from sqlalchemy.dialects import postgresql

from parley.db import migrations, rules
from parley.db import pool as database
from parley.db.schema import metadata
from parley.errors import UserError
from parley.local.databases import create_database, drop_database
from parley.local.stack import Endpoints
from parley.log.admin import apply_topics
from parley.settings import Settings, refuse_unknown
from tests.support import processes
from tests.support.apart import name_apart, settings_apart
from tests.support.stack_note import StackNote, tell
from tests.support.stacks import choose, running_stack


def pytest_configure(config: pytest.Config) -> None:
    """Refuse settings that nobody knows, as everything else does that reads them.

    Processes that tests interrupt must hear of it, also where a shell runs the tests with `&`: such
    a shell lets its children ignore Ctrl-C, and theirs after them.
    """
    try:
        refuse_unknown(Settings)
    except UserError as error:
        raise pytest.UsageError(str(error)) from error
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes says more of the machine than of the code.
    hypothesis.settings.register_profile("parley", deadline=None)
    hypothesis.settings.load_profile("parley")
    config.pluginmanager.register(StackNote())
    if config.getoption("--forked"):
        processes.fork()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What only people and `make compose-test` ask for."""
    parser.addoption("--compose", action="store_true", help="run the tests in containers, too")
    parser.addoption(
        "--forked", action="store_true", help="fork services and commands instead of starting them"
    )
    parser.addoption(
        "--plots",
        type=Path,
        metavar="FOLDER",
        help="draw the dashboards' panels of the real run into this folder",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs more than pip supplies, and say so in the summary."""
    if config.getoption("--compose"):
        return
    for item in items:
        if item.get_closest_marker("compose"):
            item.add_marker(pytest.mark.skip("needs a Docker engine: `make compose-test`"))


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """A command that was run in this process has bound the log to output that is closed by now."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Iterator[Endpoints]:
    """A running Kafka and PostgreSQL for the whole run."""
    choice = choose()
    tell(pytestconfig, str(choice))
    with running_stack(choice) as endpoints:
        yield endpoints


@pytest.fixture
async def empty_settings(stack: Endpoints, tmp_path: Path) -> AsyncIterator[Settings]:
    """A topic prefix and a database that no other test sees, with nothing in them."""
    async with settings_apart(stack, tmp_path / "state") as made:
        yield made


@pytest.fixture
async def second_settings(stack: Endpoints, tmp_path: Path) -> AsyncIterator[Settings]:
    """The same again, for tests that compare two runs."""
    async with settings_apart(stack, tmp_path / "second-state") as made:
        yield made


# A copy of a database is made in no time.
@pytest.fixture(scope="session")
def template(stack: Endpoints) -> Iterator[str]:
    """The name of a database with all tables and nothing in them."""
    with _template(stack) as (name, url):
        asyncio.run(_create_tables(url))
        yield name


@pytest.fixture(scope="session")
def migrated_template(stack: Endpoints) -> Iterator[str]:
    """The name of a database that the migrations have filled."""
    with _template(stack) as (name, url):
        asyncio.run(migrations.upgrade(Settings(database_url=SecretStr(url))))
        yield name


@pytest.fixture
async def settings(stack: Endpoints, template: str, tmp_path: Path) -> AsyncIterator[Settings]:
    """Topics and tables that no other test sees."""
    async with settings_apart(stack, tmp_path / "state", template) as made:
        await apply_topics(made)
        yield made


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Any]:
    """Connections to the test's database."""
    made = await database.connect(settings)
    yield made
    await made.close()


@pytest.fixture
def schema() -> str:
    """Statements that make all tables."""
    return _schema()


@contextmanager
def _template(stack: Endpoints) -> Iterator[tuple[str, str]]:
    name = name_apart()
    yield name, create_database(stack, name)
    drop_database(stack, name)


async def _create_tables(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_schema())
        await rules.apply(connection)
    finally:
        await connection.close()


def _schema() -> str:
    statements: list[str] = []

    def collect(statement: Any, *_: Any, **__: Any) -> None:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        statements.append(str(statement.compile(dialect=dialect)))

    metadata.create_all(create_mock_engine("postgresql+asyncpg://", collect), checkfirst=False)
    return ";\n".join(statements)
