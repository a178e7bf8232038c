"""Events in order, within bounds, and durable or refused."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from hypothesis import HealthCheck, given
from hypothesis import settings as configured
from hypothesis import strategies as st

from parley.codec import Outgoing
from parley.events import Content, MessageRecorded, Role
from services.gateway.core.events import Said, Source
from services.gateway.core.frames import Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher, Recorded
from tests.unit.gateway.fakes import FakeProducer, Metadata, publisher

SHORT = timedelta(milliseconds=50)


def utterance(number: int, text: str = "hello") -> Utterance:
    return Utterance(str(number), MessageRecorded(Role.USER, Content(text)))


def settings(**values: Any) -> GatewaySettings:
    return GatewaySettings(gateway_ack_timeout=SHORT, **values)


async def say(to: Publisher, number: int, lane: asyncio.Lock | None = None) -> Recorded:
    source = to.source("c", client_id="me")
    return await to.record_utterance(source, utterance(number), lane or asyncio.Lock())


async def test_a_message_is_written_whole_and_answered_with_its_place() -> None:
    producer = FakeProducer()
    writer = publisher(producer, settings(gateway_tenant="acme"))
    source = writer.source("c", "phone", user_id="u", client_id="me", session_id="s")
    recorded = await writer.record_utterance(source, utterance(7), asyncio.Lock())
    [event] = producer.events()
    assert event.event_id == recorded.event_id
    assert (event.tenant_id, event.conversation_id, event.session_id) == ("acme", "c", "s")
    assert (event.user_id, event.client_id, event.client_message_id) == ("u", "me", "7")
    assert (event.sender, event.gateway_id, event.channel) == ("anonymous", "gateway", "phone")
    assert event.body == MessageRecorded(Role.USER, Content("hello"))
    assert (recorded.position.partition, recorded.position.offset) == (0, 0)


async def test_the_same_id_is_the_same_event_and_another_client_has_others() -> None:
    writer = publisher(FakeProducer(), settings())
    first = await say(writer, 1)
    assert (await say(writer, 1)).event_id == first.event_id
    other = writer.source("c", client_id="you")
    recorded = await writer.record_utterance(other, utterance(1), asyncio.Lock())
    assert recorded.event_id != first.event_id


async def test_the_log_has_a_lanes_events_in_the_order_of_asking_although_the_buffer_is_full() -> (
    None
):
    producer = FakeProducer()
    writer = publisher(producer, GatewaySettings())
    lane = asyncio.Lock()
    producer.takes_records.clear()
    waiting = [asyncio.create_task(say(writer, number, lane)) for number in range(50)]
    await asyncio.sleep(0)
    producer.takes_records.set()
    # These come while the first ones wake up.
    waiting += [asyncio.create_task(say(writer, number, lane)) for number in range(50, 100)]
    await asyncio.gather(*waiting)
    order = [event.client_message_id for event in producer.events()]
    assert order == [str(number) for number in range(100)]


async def test_without_kafkas_ack_a_message_is_not_durable_and_may_be_sent_again() -> None:
    producer = FakeProducer()
    producer.acknowledges = False
    writer = publisher(producer, settings())
    with pytest.raises(Refused) as caught:
        await say(writer, 1)
    assert caught.value.code is Code.NOT_DURABLE
    assert caught.value.is_retryable


async def test_a_message_given_up_counts_until_the_producer_is_done_with_it() -> None:
    producer = FakeProducer()
    producer.acknowledges = False
    writer = publisher(producer, settings(gateway_max_unacknowledged=1))
    with pytest.raises(Refused):
        await say(writer, 1)
    assert writer.unacknowledged == 1
    with pytest.raises(Refused) as caught:
        await say(writer, 2)
    assert caught.value.code is Code.OVERLOADED
    assert caught.value.retry_after_ms == 1_000
    producer.pending[0].set_result(Metadata(0, 0))
    await asyncio.sleep(0)
    producer.acknowledges = True
    assert (await say(writer, 2)).position.offset == 1
    assert writer.unacknowledged == 0


async def test_what_does_not_even_reach_the_buffer_in_time_is_never_sent() -> None:
    producer = FakeProducer()
    producer.takes_records.clear()
    writer = publisher(producer, settings())
    lane = asyncio.Lock()
    answers = await asyncio.gather(
        *(say(writer, number, lane) for number in range(5)), return_exceptions=True
    )
    assert [isinstance(one, Refused) for one in answers] == [True] * 5
    producer.takes_records.set()
    await asyncio.sleep(0)
    assert producer.accepted == []
    assert writer.unacknowledged == 0


class _BrokenProducer:
    async def accept(self, outgoing: Outgoing) -> Awaitable[Any]:
        raise KafkaConnectionError


async def test_an_error_of_kafka_is_not_durable_at_once_and_frees_its_place() -> None:
    writer = Publisher(_BrokenProducer(), settings(), "incarnation", "gateway")
    with pytest.raises(Refused) as caught:
        await say(writer, 1)
    assert caught.value.code is Code.NOT_DURABLE
    assert writer.unacknowledged == 0


async def test_what_no_consumer_would_take_is_refused_before_it_is_sent() -> None:
    producer = FakeProducer()
    writer = publisher(producer, settings())
    said = Said("no uuid", MessageRecorded(Role.USER, Content("hello")))
    with pytest.raises(Refused) as caught:
        await writer.record(writer.source("c"), said, asyncio.Lock())
    assert caught.value.code is Code.INVALID_FRAME
    assert (producer.accepted, writer.unacknowledged) == ([], 0)


# Lone surrogates cannot come: JSON with one is refused before.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@configured(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS, TEXTS, TEXTS)
async def test_every_message_is_refused_or_read_back_as_it_was_said(
    text: str, conversation_id: str, user_id: str, message_id: str
) -> None:
    producer = FakeProducer()
    writer = publisher(producer, settings())
    source: Source = writer.source(conversation_id, user_id=user_id)
    said = Utterance(message_id, MessageRecorded(Role.USER, Content(text)))
    try:
        await writer.record_utterance(source, said, asyncio.Lock())
    except Refused as refused:
        assert refused.code is Code.INVALID_FRAME
        assert "\0" in text + conversation_id + user_id + message_id or not conversation_id
        return
    [event] = producer.events()
    assert event.body == said.body
    assert (event.conversation_id, event.user_id) == (conversation_id, user_id)
