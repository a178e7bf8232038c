"""Made-up segments: messages in the tables as the persister leaves them, and their seals."""

from typing import Final

from parley.db.pool import Pool
from parley.digests import SpokenMember
from parley.events import Content
from parley.settings import Settings
from tests.integration.analyzer.stage import (
    INCARNATION,
    TENANT,
    Tables,
    publish_seals,
    sealed,
    talk,
)

MESSAGES: Final = 4
TEXT_BYTES: Final = 400
SEALS_AT_ONCE: Final = 2_000
_COLUMNS: Final = (
    *("tenant_id", "id", "conversation_id", "sender", "role", "content", "event_time"),
    *("received_at", "incarnation", "partition", "log_offset", "is_user_inherited"),
)
# Of about as many letters as a word has.
_SAID: Final = "and so we talked about it for a while longer " * 10


def talk_of(name: str) -> list[SpokenMember]:
    """A conversation in which things are said that no other one holds, by two in turns."""
    said = f"{name}: {_SAID}"[:TEXT_BYTES]
    return [one._replace(content=Content(said)) for one in talk(name, MESSAGES)]


def names_of(count: int) -> list[str]:
    """Names of conversations."""
    return [f"talk-{number}" for number in range(count)]


async def say_and_seal(settings: Settings, pool: Pool, count: int) -> None:
    """So many segments; their jobs wait until the persister is behind DECIDED_OFFSET."""
    tables = Tables(pool, settings)
    await tables.persister_is_at(0)
    names = names_of(count)
    async with pool.acquire() as connection:
        await connection.copy_records_to_table(
            "conversation_messages",
            records=[row for name in names for row in _rows(name)],
            columns=_COLUMNS,
        )
    for first in range(0, count, SEALS_AT_ONCE):
        some = names[first : first + SEALS_AT_ONCE]
        await publish_seals(settings, [sealed(name, talk_of(name)) for name in some])


def _rows(name: str) -> list[tuple[object, ...]]:
    return [
        (
            *(TENANT, one.event_id, name, "tester", one.role.value, one.content.text),
            *(one.event_time, one.event_time, INCARNATION, 0, offset, False),
        )
        for offset, one in enumerate(talk_of(name))
    ]
