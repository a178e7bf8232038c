"""Conversations with everything that tables are made of, and the services that make them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

from parley import clock
from parley.codec import Outgoing, event_key
from parley.codec.events import EVENT_HEADERS
from parley.events import (
    Content,
    EndReason,
    Event,
    MessageRevised,
    Policy,
    PreferencesChanged,
    RevisionKind,
    Role,
    SessionEnded,
    SessionStarted,
)
from parley.log.admin import topic_ends
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, event, message, outgoing, short_policy
from tests.support.wait import eventually

SERVICES = ("persister", "sealer", "analyzer")


@asynccontextmanager
async def running(settings: Settings, *names: str) -> AsyncIterator[list[ServiceProcess]]:
    """The services, stopped at the end."""
    with ExitStack() as stack:
        made = [ServiceProcess(name, settings) for name in names or SERVICES]
        for one in made:
            await asyncio.to_thread(stack.enter_context, one)
        yield made


@dataclass
class Talk:
    """Makes up records; the same seed makes the same ones but for their times."""

    settings: Settings
    chance: Random = field(default_factory=lambda: Random(11))
    users: tuple[str, ...] = ("ada",)
    sent: list[Event] = field(default_factory=list)
    bad_count: int = 0
    number: int = 0

    def records(self, count: int) -> list[Outgoing]:
        """So many records: messages, revisions, sessions, repeats, and some that are no events."""
        return [self._record() for _ in range(count)]

    def _record(self) -> Outgoing:
        kind = self.chance.random()
        if kind < 0.01:
            self.bad_count += 1
            key = event_key(TENANT, self._conversation())
            return Outgoing(self.settings.topic(Topic.EVENTS), key, b"\xff\xff", EVENT_HEADERS)
        if kind < 0.06 and self.sent:
            return outgoing(self.settings, self.chance.choice(self.sent))
        made = self._event(kind)
        self.sent.append(made)
        return outgoing(self.settings, made)

    def _event(self, kind: float) -> Event:
        conversation = self._conversation()
        session = f"session of {conversation}"
        if kind < 0.10:
            return event(conversation, SessionStarted(1, "", "", ""), session_id=session)
        if kind < 0.13:
            return event(conversation, SessionEnded(1, EndReason.EXPLICIT), session_id=session)
        if kind < 0.16:
            user = self.chance.choice(self.users)
            return event(conversation, PreferencesChanged("calm", "en", "", ""), user_id=user)
        if kind < 0.24 and self.sent:
            target = self.chance.choice(self.sent)
            body = MessageRevised(target.event_id, RevisionKind.CORRECTED, Content("corrected"))
            return event(target.conversation_id, body, policy=_policy(target.conversation_id))
        self.number += 1
        late = timedelta(seconds=self.chance.choice([0, 0, 0, 0, 3, 30]))
        return message(
            conversation,
            self.number,
            f"text {self.number}",
            at=clock.now() - late,
            session_id=session if kind < 0.8 else "",
            user_id=self.chance.choice(["", *self.users]),
            role=self.chance.choice([Role.USER, Role.ASSISTANT]),
            policy=_policy(conversation),
        )

    def _conversation(self) -> str:
        return f"c{self.chance.randrange(40)}"


def _policy(conversation_id: str) -> Policy:
    """Some conversations are over at every breath, others when the talk is."""
    return short_policy(1.0 if conversation_id.endswith("0") else 4.0, 0.2)


async def send(settings: Settings, records: Sequence[Outgoing]) -> None:
    """Publish them, in order."""
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.send_all(records)
    finally:
        await producer.stop()


@asynccontextmanager
async def talking(talk: Talk, rest_s: float = 0.3) -> AsyncIterator[None]:
    """Publish a few records again and again; all of them are in the log at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(_keep_talking(talk, stop, rest_s))
    try:
        yield
    finally:
        stop.set()
        await task


async def _keep_talking(talk: Talk, stop: asyncio.Event, rest_s: float) -> None:
    producer = Producer(talk.settings)
    await producer.start()
    try:
        while not stop.is_set():
            await producer.send_all(talk.records(20))
            await asyncio.sleep(rest_s)
    finally:
        await producer.stop()


async def settled(
    pool: Any,
    talk: Talk,
    timeout_s: float = 60,
    readers: Sequence[str] = ("persister", "sealer"),
) -> None:
    """Return once everything was read, sealed, published and analysed, and stays so.

    `readers` are those who read the events.
    """

    async def is_settled() -> bool:
        for topic in (Topic.EVENTS, Topic.SEALS, Topic.ANALYSES):
            name = talk.settings.topic(topic)
            ends = {one.partition: one.end for one in await topic_ends(talk.settings, name)}
            rows = await pool.fetch(
                "SELECT consumer, partition, next_offset FROM fences WHERE topic = $1", name
            )
            if any(row["next_offset"] < ends[row["partition"]] for row in rows):
                return False
            # One that has not begun yet has read nothing, and no fence that says so.
            begun = {(row["consumer"], row["partition"]) for row in rows}
            wanted = readers if topic is Topic.EVENTS else ()
            if not begun.issuperset(product(wanted, ends)):
                return False
        return not await pool.fetchval(
            """
            SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)
                OR EXISTS (SELECT FROM sealer_windows)
                OR EXISTS (SELECT FROM operations.jobs WHERE state IN ('open', 'claimed'))
            """
        )

    async def twice() -> bool:
        if not await is_settled():
            return False
        await asyncio.sleep(0.5)
        return await is_settled()

    await eventually(twice, timeout=timeout_s, every=0.3)
