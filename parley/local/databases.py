"""Creates and drops databases beside the main one, for tests that want one of their own."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import asyncpg

from parley.local.stack import Endpoints


def url_of(endpoints: Endpoints, name: str) -> str:
    """Return the address of that database on the stack's server."""
    return urlsplit(endpoints.database_url)._replace(path=f"/{name}").geturl()


def create_database(endpoints: Endpoints, name: str, template: str = "template1") -> str:
    """Create a copy of `template`, which nobody may be connected to, and return its address.

    That of the server's own is empty. Raises asyncpg.DuplicateDatabaseError.
    """
    copied = f'CREATE DATABASE "{_checked(name)}" TEMPLATE "{_checked(template)}"'
    _in_own_loop(_execute(endpoints, copied))
    return url_of(endpoints, name)


def drop_database(endpoints: Endpoints, name: str) -> None:
    """Drop the database if it is there, ending its connections."""
    _in_own_loop(_execute(endpoints, f'DROP DATABASE IF EXISTS "{_checked(name)}" WITH (FORCE)'))


def _checked(name: str) -> str:
    # A database's name cannot be a query's parameter.
    if not name.replace("_", "").isalnum():
        raise ValueError(f"not a database name: {name}")
    return name


async def _execute(endpoints: Endpoints, statement: str) -> None:
    connection = await asyncpg.connect(endpoints.database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _in_own_loop(work: Coroutine[None, None, None]) -> None:
    """Run it to the end in a thread, so that callers may have a running loop or none."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
