"""What a replay decided beside what the topic holds: compared by looking up, and only once."""

from collections.abc import Iterable
from typing import Any

import pytest

from parley.db.fence import FenceKey
from parley.db.outbox import enqueue
from parley.events import Content, MessageRecorded, Role
from parley.rebuilding.seal_facts import POSITIONS
from parley.rebuilding.seals import SQL, SealCheck
from parley.settings import Settings
from tests.support.publish import event, outgoing

pytestmark = pytest.mark.integration

KEY = FenceKey("sealer", "events", 0)
HELLO = MessageRecorded(Role.USER, Content("hello"))


@pytest.fixture
async def seals(tables: Any, migrated: Settings) -> SealCheck:
    """Both sides, empty."""
    made = SealCheck(tables, migrated)
    await made.begin()
    return made


async def decide(tables: Any, settings: Settings, subjects: Iterable[str]) -> None:
    """Have a replay that has put these aside to be published."""
    async with tables.acquire() as connection:
        await enqueue(connection, KEY, [outgoing(settings, event(one, HELLO)) for one in subjects])
    ids = await tables.fetch("SELECT id FROM outbox ORDER BY id DESC")
    rows = zip(subjects, reversed(ids), strict=False)
    await tables.copy_records_to_table(
        "decided", records=[(*fact(one), row["id"]) for one, row in rows]
    )


def fact(subject: str, digest: bytes = b"members") -> tuple[Any, ...]:
    return ("t", subject, 1, digest, "c", "log", 0, 7, "{}")


async def publish(tables: Any, *facts: tuple[Any, ...]) -> None:
    await tables.copy_records_to_table("published", records=facts)


async def unpublished(tables: Any) -> int:
    found: int = await tables.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    return found


async def test_what_both_have_is_marked_once_and_not_looked_at_again(
    tables: Any, migrated: Settings, seals: SealCheck
) -> None:
    await decide(tables, migrated, ["a", "b", "c"])
    await publish(tables, fact("a"), fact("b"))
    await seals.settle()
    assert await unpublished(tables) == 1
    # Nor are its pages.
    assert await tables.fetchval("SELECT pg_relation_size('published')") == 0
    assert await seals.not_given(9, is_ahead=True) == []
    assert await seals.count() == 2


async def test_what_comes_after_that_is_compared_with_all_that_was_decided(
    tables: Any, migrated: Settings, seals: SealCheck
) -> None:
    await decide(tables, migrated, ["a", "b"])
    await publish(tables, fact("a"))
    await seals.settle()
    # A relay that was killed publishes again what it had published.
    await publish(tables, fact("a"), fact("b", b"other members"), fact("c"))
    found = await seals.not_given(9, is_ahead=True)
    assert [(one.subject, one.kind) for one in sorted(found, key=lambda one: one.subject)] == [
        ("b", "seal that a replay gives otherwise"),
        ("c", "seal that a replay does not give"),
    ]
    assert await seals.count() == 4


async def test_what_differs_is_not_settled(
    tables: Any, migrated: Settings, seals: SealCheck
) -> None:
    await decide(tables, migrated, ["a"])
    await publish(tables, fact("a", b"other members"))
    await seals.settle()
    assert await unpublished(tables) == 1
    assert [one.subject for one in await seals.not_given(9, is_ahead=True)] == ["a"]


async def test_no_table_is_read_whole_for_each_seal(tables: Any, seals: SealCheck) -> None:
    subjects = [str(number) for number in range(5_000)]
    await publish(tables, *map(fact, subjects))
    decided = [(*fact(subject), number) for number, subject in enumerate(subjects)]
    await tables.copy_records_to_table("decided", records=decided)
    plan = await tables.fetch(
        f"EXPLAIN (ANALYZE, COSTS OFF) {SQL['otherwise']}", 5, False, False, list(POSITIONS)
    )
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan on published" in text
    assert "Seq Scan on decided" not in text
    assert await seals.not_given(5, is_ahead=False) == []
