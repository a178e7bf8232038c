"""Clients that talk through the proxy, and the reckoning of what became of it."""

from collections.abc import AsyncIterator, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from parley.ids import random_id
from tests.compose.project import Project
from tests.support.chatters import Chatter, chatting
from tests.support.wait import eventually

CLIENTS: Final = 12
PATIENCE_S: Final = 120.0

STORED: Final = """
SELECT id, content FROM conversation_messages WHERE starts_with(conversation_id, '{}')
"""


@dataclass(frozen=True, slots=True)
class Door:
    """Where the product is reached."""

    port: int


class Talk:
    """Clients in conversations of their own, two in each, and what they have written down."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.prefix = f"talk-{random_id()[:8]}"
        door = [Door(project.port("proxy", 8080))]
        self.clients = [
            Chatter(f"{self.prefix}-{n}", f"{self.prefix}-{n // 2}", door) for n in range(CLIENTS)
        ]

    def acknowledged(self) -> dict[str, str]:
        """What was said, by the event id that was acknowledged for it."""
        return {
            event_id: f"{one.name} {frame_id} hello"
            for one in self.clients
            for frame_id, event_id in one.acknowledged.items()
        }

    async def goes_on(self, more: int = 40) -> None:
        """Wait until that many more messages were acknowledged, some by every client."""
        before = {one.name: len(one.acknowledged) for one in self.clients}

        async def has_grown() -> bool:
            grown = [len(one.acknowledged) - before[one.name] for one in self.clients]
            return min(grown) > 0 and sum(grown) >= more

        await eventually(has_grown, PATIENCE_S, every=0.2)

    async def falls_silent(self) -> None:
        """Let nobody say anything more, and wait until all that was said is acknowledged."""
        for one in self.clients:
            one.talks = False

        async def is_answered() -> bool:
            return not any(one.unacknowledged for one in self.clients)

        await eventually(is_answered, PATIENCE_S, every=0.2)

    async def is_stored_once(self) -> int:
        """Every acknowledged message is a row, and nothing is there twice; how many there are."""
        said = self.acknowledged()

        async def has_come() -> bool:
            return len(self._project.rows(STORED.format(self.prefix))) >= len(said)

        await eventually(has_come, PATIENCE_S, every=1.0)
        rows = self._project.rows(STORED.format(self.prefix))
        assert {row["id"]: row["content"] for row in rows} == said
        assert len({row["content"] for row in rows}) == len(rows)
        for one in self.clients:
            assert not one.refused, one.refused
            assert not one.disorder, one.disorder
        return len(rows)


@asynccontextmanager
async def talking(project: Project) -> AsyncIterator[Talk]:
    """Talk while the body runs; then all must have been stored once."""
    talk = Talk(project)
    async with chatting(talk.clients):
        await talk.goes_on()
        yield talk
        await talk.goes_on()
        await talk.falls_silent()
    await talk.is_stored_once()


def not_seen_by_both(clients: Sequence[Chatter], said: Set[str]) -> set[str]:
    """What one of the two of a conversation said, by event ids, and not both have seen."""
    pairs = list(zip(clients[::2], clients[1::2], strict=True))
    missed: set[str] = set()
    for one, other in pairs:
        own = said & {*one.acknowledged.values(), *other.acknowledged.values()}
        missed |= own - (one.seen.keys() & other.seen.keys())
    return missed
