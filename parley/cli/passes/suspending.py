"""Which passes are suspended, for commands that go on without the database."""

from collections.abc import Iterable, Mapping

import asyncpg

from parley.cli.facts import connection_pool
from parley.cli.output import say
from parley.errors import UserError
from parley.passes.suspended import Suspended, suspended_passes
from parley.settings import Settings


async def suspended_now(settings: Settings) -> dict[str, Suspended] | None:
    """By fingerprint; None, which is said, where the database does not tell."""
    try:
        async with connection_pool(settings) as pool:
            return await suspended_passes(pool)
    except (UserError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        say(f"Whether passes are suspended is not known: {error}")
        return None


def reason_of(suspended: Mapping[str, Suspended] | None, fingerprint: str) -> str | None:
    """Why the jobs of a version wait; empty where they do not, None where nobody knows."""
    if suspended is None:
        return None
    return str(suspended[fingerprint]) if fingerprint in suspended else ""


def say_remedies(suspended: Iterable[Suspended]) -> None:
    """What somebody can do about each."""
    for one in suspended:
        say(f"{one.pass_name} version {one.pass_version} is {one}. {one.remedy}")
