"""What tables refused before their topic was grown, a rebuild from the grown one refuses too."""

import asyncio
from itertools import cycle
from typing import Any

import pytest

from parley.codec import event_key
from parley.log.replay.replay import BATCH_RECORDS
from parley.settings import Settings
from parley.topics import Topic, partition_of
from tests.integration.incarnations.world import at_rest, services
from tests.support.command import Command, said
from tests.support.publish import TENANT, message, publish

pytestmark = pytest.mark.integration

GROW = ("topics", "grow", "events", "--partitions", "6")
GROWN = {"topic_names": {Topic.EVENTS.value: "parley.events.v1-2"}, "partitions": 6}


def neighbours(count: int) -> list[str]:
    """Conversations that share a partition before and after; none may reach its cap."""
    keys = ((name, event_key(TENANT, name)) for name in (f"c{number}" for number in range(1_000)))
    return [name for name, key in keys if partition_of(key, 4) == partition_of(key, 6) == 0][:count]


async def test_what_was_refused_stays_so_in_a_rebuild_from_a_grown_topic(
    migrated: Settings, tables: Any
) -> None:
    await tables.execute(
        "ALTER TABLE conversation_messages ADD CONSTRAINT picky CHECK (content <> 'refuse me')"
    )
    # More than one batch of the replay, so that none has both the record and the word about it.
    texts = ["refuse me", *(f"fine {number}" for number in range(BATCH_RECORDS + 500))]
    with services(migrated):
        # So many that none comes to the most messages of a segment.
        names = cycle(neighbours(4))
        await publish(migrated, [message(next(names), text, text) for text in texts])
        await at_rest(migrated, tables)
        grown = await asyncio.to_thread(Command(migrated), *GROW)
        assert grown.returncode == 0, said(grown)
    await tables.execute("ALTER TABLE conversation_messages DROP CONSTRAINT picky")
    rebuilding = Command(migrated.model_copy(update=GROWN))
    rebuilt = await asyncio.to_thread(rebuilding, "rebuild", "--anew")
    assert rebuilt.returncode == 0, said(rebuilt)
    stored = await tables.fetch("SELECT content FROM conversation_messages")
    assert sorted(row["content"] for row in stored) == sorted(texts[1:])
