"""Answers over the real log: their states, their ids, and two replicas that both answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from parley.db import pool as database
from parley.db.schema import metadata
from parley.events import (
    Content,
    ConversationState,
    Event,
    MessageRecorded,
    Role,
    StateRequested,
)
from parley.ids import random_id
from parley.log.admin import incarnation_of
from parley.log.producer import Producer
from parley.policies import Policies
from parley.settings import Settings
from parley.topics import Topic
from services.gateway.core.frames import Transition, Utterance
from services.gateway.responder.answering import RESPONDER, Answering, Asked
from services.gateway.responder.responder import OFFLINE, Responder
from services.gateway.rooms.rooms import Rooms
from services.gateway.rooms.snapshots import Snapshots
from services.gateway.settings import GatewaySettings
from services.gateway.store import Store
from services.gateway.stream import Publisher
from services.gateway.tail.tail import Tail
from services.gateway.talk import Talk
from tests.integration.gateway.clients import logged
from tests.integration.gateway.rows import AT, insert
from tests.support.provider import Provider, Refuses, Says, running_provider
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

LISTENING = ConversationState.LISTENING
PROCESSING = ConversationState.PROCESSING
SPEAKING = ConversationState.SPEAKING
WAITING = ConversationState.WAITING_FOR_USER
ERROR = ConversationState.ERROR


@dataclass(frozen=True)
class Replica:
    """What of a gateway has to do with answering."""

    publisher: Publisher
    talk: Talk
    answering: Answering

    async def asks(self, text: str = "how are you?") -> Asked:
        """A user's message, durable."""
        source = self.publisher.source("c", user_id="u", client_id="me", session_id="s")
        said = Utterance(random_id(), MessageRecorded(Role.USER, Content(text)))
        recorded = await self.talk.record(source, said)
        return Asked(source, recorded.event_id, text)

    async def moves(self, target: ConversationState) -> None:
        """Somebody asks for a state."""
        source = self.publisher.source("c", client_id="me")
        await self.talk.transition(source, Transition(random_id(), target))

    async def state(self) -> ConversationState:
        return (await self.talk.state("default", "c")).state


@asynccontextmanager
async def replica_of(settings: Settings, base_url: str | None) -> AsyncIterator[Replica]:
    """A gateway's inside, with a provider or without."""
    key = None if base_url is None else SecretStr("sk-test")
    more: dict[str, Any] = {} if base_url is None else {"openai_base_url": base_url}
    made = GatewaySettings(
        **settings.model_dump(),
        openai_api_key=key,
        gateway_responder_timeout=timedelta(seconds=5),
        **more,
    )
    producer = Producer(made)
    await producer.start()
    incarnation = await incarnation_of(made, made.topic(Topic.EVENTS))
    partition_count = await producer.partition_count(made.topic(Topic.EVENTS))
    publisher = Publisher(
        [producer],
        made,
        Policies(made.gap_policies()),
        incarnation,
        random_id(),
        partition_count,
    )
    async with await database.connect(made, min_size=0) as pool:
        snapshots, tail = Snapshots(pool, made, incarnation), Tail(made)
        rooms = Rooms(made, publisher, snapshots, tail, incarnation)
        talk, responder = Talk(rooms, publisher, snapshots), Responder(made)
        stop = asyncio.Event()
        await tail.start(await snapshots.fences())
        following = asyncio.create_task(rooms.follow(stop))
        try:
            yield Replica(publisher, talk, Answering(talk, responder, Store(pool, made), made))
        finally:
            stop.set()
            await following
            await tail.stop()
            await responder.close()
            await producer.stop()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
async def replica(settings: Settings, provider: Provider) -> AsyncIterator[Replica]:
    async with replica_of(settings, provider.base_url) as replica:
        yield replica


def states(events: list[Event]) -> list[ConversationState]:
    return [one.body.target for one in events if isinstance(one.body, StateRequested)]


def replies(events: list[Event]) -> dict[str, str]:
    """The texts of the assistant's messages, by their ids."""
    said = [(one.event_id, one.body) for one in events if one.client_id == RESPONDER]
    return {
        event_id: body.content.text for event_id, body in said if isinstance(body, MessageRecorded)
    }


async def events_of(settings: Settings) -> list[Event]:
    return [event for _, event in await logged(settings, "c")]


async def test_an_answer_is_in_the_log_between_its_states(
    settings: Settings, replica: Replica
) -> None:
    recorded = await replica.answering.start(await replica.asks())
    events = await events_of(settings)
    assert [
        one.body.target if isinstance(one.body, StateRequested) else type(one.body)
        for one in events
    ] == [MessageRecorded, LISTENING, PROCESSING, SPEAKING, MessageRecorded, WAITING]
    assert recorded is not None
    assert replies(events) == {recorded.event_id: "the answer"}
    assert await replica.state() is WAITING


async def test_two_replicas_that_answer_the_same_message_make_one_reply(
    settings: Settings, provider: Provider, replica: Replica
) -> None:
    async with replica_of(settings, provider.base_url) as other:
        asked = await replica.asks()
        both = await asyncio.gather(replica.answering.start(asked), other.answering.start(asked))
        assert None not in both
        assert len({one.event_id for one in both if one is not None}) == 1
        events = await events_of(settings)
        assert len(replies(events)) == 1

        async def both_wait() -> bool:
            return {await replica.state(), await other.state()} == {WAITING}

        await eventually(both_wait)


async def test_a_failing_provider_is_an_error_in_the_log_and_the_next_message_is_answered(
    settings: Settings, provider: Provider, replica: Replica
) -> None:
    provider.acts(Refuses(401, "invalid_api_key"))
    asked = await replica.asks()
    assert await replica.answering.start(asked) is None
    events = await events_of(settings)
    assert states(events) == [LISTENING, PROCESSING, ERROR, WAITING]
    assert [one.event_id for one in events if isinstance(one.body, MessageRecorded)] == [
        asked.event_id
    ]
    assert await replica.answering.start(await replica.asks()) is not None
    assert await replica.state() is WAITING


async def test_a_user_who_interrupts_keeps_the_state_and_gets_the_answer(
    settings: Settings, provider: Provider, replica: Replica
) -> None:
    provider.acts(Says("late", after_s=1.0))
    answering = replica.answering.start(await replica.asks())

    async def is_asked() -> bool:
        return bool(provider.asked)

    await eventually(is_asked)
    await replica.moves(LISTENING)
    assert await answering is not None
    events = await events_of(settings)
    assert states(events) == [LISTENING, PROCESSING, LISTENING]
    assert list(replies(events).values()) == ["late"]


async def test_an_ended_conversation_is_not_answered(
    settings: Settings, provider: Provider, replica: Replica
) -> None:
    asked = await replica.asks()
    await replica.moves(ConversationState.ENDED)
    assert await replica.answering.start(asked) is None
    assert provider.asked == []
    assert replies(await events_of(settings)) == {}


async def test_the_model_is_shown_what_the_tables_hold(
    settings: Settings, pool: Any, provider: Provider, replica: Replica
) -> None:
    for second, (role, text) in enumerate([("user", "I am Ann"), ("assistant", "hello Ann")]):
        values = {"id": random_id(), "role": role, "content": text, "log_offset": second}
        values["event_time"] = AT + timedelta(seconds=second)
        await insert(pool, metadata.tables["conversation_messages"], **values)
    elsewhere = {"id": random_id(), "role": "user", "content": "secret", "conversation_id": "d"}
    await insert(pool, metadata.tables["conversation_messages"], **elsewhere)
    foreign = {"id": random_id(), "role": "user", "content": "secret", "tenant_id": "other"}
    await insert(pool, metadata.tables["conversation_messages"], **foreign)
    await replica.answering.start(await replica.asks("who am I?"))
    [asked] = provider.asked
    assert [text for _, text in asked.turns[1:]] == ["I am Ann", "hello Ann", "who am I?"]


async def test_without_a_key_the_reply_is_offline_and_says_so(settings: Settings) -> None:
    async with replica_of(settings, None) as replica:
        await replica.answering.start(await replica.asks("secret"))
        events = await events_of(settings)
        assert list(replies(events).values()) == [OFFLINE.text]
        assert await replica.state() is WAITING


async def test_a_drain_gives_up_and_the_message_is_safe(
    settings: Settings, provider: Provider, replica: Replica
) -> None:
    provider.acts(Says("late", after_s=60))
    asked = await replica.asks()
    answering = replica.answering.start(asked)

    async def is_asked() -> bool:
        return bool(provider.asked)

    await eventually(is_asked)
    await replica.answering.drain(0.1)
    assert await answering is None
    events = await events_of(settings)
    assert states(events)[-2:] == [ERROR, WAITING]
    assert asked.event_id in {one.event_id for one in events}
