"""At a PostgreSQL that wants TLS each service works as its own login, and may do nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from pydantic import SecretStr

from parley.db import pool as database
from parley.db.roles import SERVICES, Role
from parley.log.admin import apply_topics
from parley.settings import Settings
from tests.support.certificates import make_certificates
from tests.support.passes import apply_shipped
from tests.support.processes import ServiceProcess
from tests.support.product import parley
from tests.support.publish import message, publish, short_policy
from tests.support.rights import documented_rights, found_rights, is_allowed
from tests.support.secured_postgres import SecuredPostgres, secured_postgres
from tests.support.wait import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# Beside the rows of tables: what would give a login more than it has.
FORBIDDEN: Final = (
    "CREATE TABLE another (id int)",
    "CREATE TABLE operations.another (id int)",
    "CREATE SCHEMA another",
    "CREATE FUNCTION another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE another LOGIN SUPERUSER",
    "ALTER ROLE parley PASSWORD 'known'",
    "DROP TABLE conversation_messages",
    "ALTER TABLE conversation_messages DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE fences ADD COLUMN another int",
    "GRANT parley TO current_user",
    "SET ROLE parley",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'parley'",
    "SELECT record_message('c', 'user', 'hello')",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredPostgres]:
    with secured_postgres(tmp_path_factory.mktemp("secured-postgres")) as made:
        yield made


def settings_for(url: str, settings: Settings) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(url)})


@pytest.fixture
async def owner(empty_settings: Settings, server: SecuredPostgres) -> Settings:
    """The owner's settings, once tables and roles are there."""
    own = settings_for(server.url(), empty_settings)
    for words in ("db upgrade", "db roles apply"):
        said = await asyncio.to_thread(parley, own, *words.split())
        assert said.status == 0, said.errors
    return own


@pytest.fixture
async def logins(owner: Settings) -> AsyncIterator[dict[Role, str]]:
    """The address of a login for each service, as the command prints it."""
    urls = {}
    for role in SERVICES:
        words = ("db", "logins", "create", f"{role.value}_1", "--role", role.value)
        said = await asyncio.to_thread(parley, owner, *words)
        assert said.status == 0, said.errors
        urls[role] = said.output.strip()
    yield urls
    for role in SERVICES:
        await asyncio.to_thread(parley, owner, "db", "logins", "drop", f"{role.value}_1")


async def test_a_conversation_becomes_verdicts_over_tls_and_each_login_may_do_its_work_only(
    owner: Settings, logins: dict[Role, str]
) -> None:
    pool = await database.connect(owner)
    try:
        await _assert_services_work(owner, logins, pool)
        for role, url in logins.items():
            connection = await asyncpg.connect(url)
            try:
                assert await found_rights(connection) == documented_rights(role), role
                others = [f"SET ROLE {one.pg_name}" for one in Role if one is not role]
                for statement in (*FORBIDDEN, *others):
                    assert not await is_allowed(connection, statement), (role, statement)
            finally:
                await connection.close()
    finally:
        await pool.close()


async def _assert_services_work(owner: Settings, logins: dict[Role, str], pool: Any) -> None:
    await apply_topics(owner)
    await apply_shipped(owner)
    with ExitStack() as running:
        for role, url in logins.items():
            running.enter_context(ServiceProcess(role.value, owner, DATABASE_URL=url))
        policy = short_policy()
        await publish(owner, [message("c", number, policy=policy) for number in range(5)])

        async def is_done() -> bool:
            return bool(await pool.fetchval("SELECT count(*) >= 2 FROM verdicts"))

        await eventually(is_done, timeout=90)
        rows = await pool.fetch(
            "SELECT DISTINCT usename::text AS login, ssl, version FROM pg_stat_ssl"
            " JOIN pg_stat_activity USING (pid) WHERE usename <> 'parley'"
        )
        assert {row["login"] for row in rows} == {f"{role.value}_1" for role in SERVICES}
        assert all(row["ssl"] and row["version"] >= "TLSv1.2" for row in rows)


async def test_who_comes_otherwise_is_refused_and_told_why(
    empty_settings: Settings, server: SecuredPostgres, tmp_path: Path
) -> None:
    other = str(make_certificates(tmp_path / "other").authority)
    missing = str(tmp_path / "nowhere.pem")
    refused = {
        server.url(sslmode="disable"): ("no encryption", "lets nobody in without TLS"),
        server.url(sslrootcert=other): ("certificate verify failed", "names the authority"),
        server.url(host="localhost"): ("Hostname mismatch", "has to name the host"),
        server.url(sslrootcert=missing): ("No such file", "DATABASE_URL"),
        server.url(password="wrong"): ("password authentication failed", "correct DATABASE_URL"),
    }
    for url, (why, remedy) in refused.items():
        own = settings_for(url, empty_settings)
        said = await asyncio.to_thread(parley, own, "db", "status")
        told = " ".join(said.errors.split())
        assert said.status == 1, (url, told)
        assert why in told, told
        assert remedy in told, told
        assert "only-for-tests" not in told
        assert "wrong" not in told


async def test_a_service_that_does_not_trust_the_server_does_not_start_and_says_why(
    empty_settings: Settings, server: SecuredPostgres, tmp_path: Path
) -> None:
    other = str(make_certificates(tmp_path / "other").authority)
    own = settings_for(server.url(sslrootcert=other), empty_settings)
    service = ServiceProcess("persister", own)
    service.start(wait=False)
    try:
        assert await asyncio.to_thread(service.wait) == 1
        assert "certificate verify failed" in service.output
        assert "only-for-tests" not in service.output
    finally:
        service.stop()


async def test_without_a_mode_the_connection_is_encrypted_all_the_same(
    server: SecuredPostgres,
) -> None:
    connection = await asyncpg.connect(server.url().partition("?")[0])
    try:
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    finally:
        await connection.close()
