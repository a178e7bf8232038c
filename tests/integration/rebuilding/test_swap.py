"""The swap by itself: while it goes on nobody moves; where somebody has, it does not happen."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from parley.db import fence
from parley.db.fence import Fence, FenceHeld, FenceKey, Tail
from parley.db.outbox import enqueue
from parley.events import Content, MessageRecorded, Role
from parley.rebuilding import shadow
from parley.rebuilding.swap import FencesMoved, as_fences, held, swap
from parley.settings import Settings
from tests.support.publish import event, outgoing
from tests.unit.persister.samples import at

pytestmark = pytest.mark.integration

SHADOW = "parley_rebuild"
HELLO = MessageRecorded(Role.USER, Content("hello"))
KEY = FenceKey("persister", "events", 0)
TAIL = Tail(at(0), 1)


@pytest.fixture
async def claimed(tables: Any) -> Fence:
    """A fence that somebody owns."""
    return await fence.claim(tables, KEY, "first", "me")


@pytest.fixture
async def connection(tables: Any) -> AsyncIterator[Any]:
    """Somebody with a shadow that is ready."""
    async with tables.acquire() as made:
        await shadow.prepare(made, SHADOW, "this test", is_anew=True)
        yield made


async def move(tables: Any, owned: Fence) -> None:
    async with tables.acquire() as writer, writer.transaction():
        await fence.advance(writer, owned, owned.next_offset + 1, TAIL)


async def is_there(tables: Any, owned: Fence) -> bool:
    return bool(await tables.fetchval("SELECT owner_epoch FROM fences") == owned.owner_epoch)


async def test_a_fence_that_moved_since_it_was_read_stops_the_swap(
    tables: Any, claimed: Fence, connection: Any
) -> None:
    expected = as_fences(await tables.fetch("SELECT * FROM fences"))
    await move(tables, claimed)
    with pytest.raises(FencesMoved):
        await swap(connection, SHADOW, ["persister"], expected)
    assert await is_there(tables, claimed)


async def test_what_was_decided_and_not_published_stops_the_swap(
    tables: Any, migrated: Settings, claimed: Fence, connection: Any
) -> None:
    async with tables.acquire() as writer:
        await enqueue(writer, KEY, [outgoing(migrated, event("c", HELLO))])
    expected = as_fences(await tables.fetch("SELECT * FROM fences"))
    with pytest.raises(FencesMoved):
        await swap(connection, SHADOW, ["persister"], expected)
    assert await is_there(tables, claimed)


async def test_while_fences_are_held_nobody_moves_or_claims_one(
    tables: Any, claimed: Fence
) -> None:
    async with held(tables) as fences:
        with pytest.raises(FenceHeld):
            await move(tables, claimed)
        with pytest.raises(FenceHeld):
            await fence.claim(tables, KEY, "first", "another")
        assert as_fences(await tables.fetch("SELECT * FROM fences")) == fences
    again = await fence.claim(tables, KEY, "first", "me")
    await move(tables, again)


async def test_a_former_owner_is_fenced_out_by_a_swap(
    tables: Any, claimed: Fence, connection: Any
) -> None:
    expected = as_fences(await tables.fetch("SELECT * FROM fences"))
    # Nobody is replayed: every fence comes over as it is, but for its owner.
    await swap(connection, SHADOW, [], expected)
    with pytest.raises(fence.FenceLost):
        await move(tables, claimed)
    again = await fence.claim(tables, KEY, "first", "me")
    assert again.next_offset == claimed.next_offset
