"""Events in order, within bounds, and durable or refused."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from hypothesis import HealthCheck, given
from hypothesis import settings as configured
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from parley import clock
from parley.config import ConfigChange, GapPolicy
from parley.events import Content, MessageRecorded, Policy, Role
from parley.log.producer import Appended, Record
from parley.policies import Policies
from services.gateway.core.events import Said, Source
from services.gateway.core.frames import Clocks, Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher, Recorded, Then
from tests.support.wait import eventually
from tests.unit.gateway.fakes import FakeProducer, publisher

SHORT = timedelta(milliseconds=250)


def utterance(number: int, text: str = "hello") -> Utterance:
    return Utterance(str(number), MessageRecorded(Role.USER, Content(text)))


def settings(**values: Any) -> GatewaySettings:
    return GatewaySettings(gateway_ack_timeout=SHORT, **values)


async def say(to: Publisher, number: int, text: str = "hello") -> Recorded:
    return await to.record_utterance(to.source("c", client_id="me"), utterance(number, text))


async def eventually_true(condition: Callable[[], object]) -> None:
    async def is_true() -> bool:
        return bool(condition())

    await eventually(is_true, timeout=5, every=0.002)


async def test_a_message_is_written_whole_and_answered_with_its_place() -> None:
    producer = FakeProducer()
    writer = publisher(producer, settings(gateway_tenant="acme"))
    source = writer.source("c", "phone", user_id="u", client_id="me", session_id="s")
    recorded = await writer.record_utterance(source, utterance(7))
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
    recorded = await writer.record_utterance(other, utterance(1))
    assert recorded.event_id != first.event_id


async def test_the_log_has_events_in_the_order_of_asking_although_a_batch_is_under_way() -> None:
    producer = FakeProducer()
    producer.acknowledges = False
    writer = publisher(producer, GatewaySettings())
    waiting = [asyncio.create_task(say(writer, number)) for number in range(50)]
    await eventually_true(lambda: producer.pending)
    waiting += [asyncio.create_task(say(writer, number)) for number in range(50, 100)]
    await asyncio.sleep(0)
    # Two batches in flight could change places where the broker is asked again.
    assert [len(batch) for batch in producer.batches] == [50]
    producer.acknowledge()
    recorded = await asyncio.gather(*waiting)
    order = [event.client_message_id for event in producer.events()]
    assert order == [str(number) for number in range(100)]
    assert [one.position.offset for one in recorded] == list(range(100))
    assert [len(batch) for batch in producer.batches] == [50, 50]


async def test_a_batch_has_so_many_records_and_so_many_bytes_and_no_more() -> None:
    producer = FakeProducer()
    writer = publisher(producer, GatewaySettings())
    await asyncio.gather(*(say(writer, number) for number in range(1_200)))
    assert [len(batch) for batch in producer.batches] == [500, 500, 200]
    producer.batches.clear()
    await asyncio.gather(*(say(writer, number, "x" * 60_000) for number in range(9)))
    assert [len(batch) for batch in producer.batches] == [4, 4, 1]


def told(outcome: str) -> float:
    """How many events' senders were told so, up to now."""
    labels = {"outcome": outcome}
    return REGISTRY.get_sample_value("parley_gateway_events_total", labels) or 0.0


async def test_every_event_counts_once_as_what_its_sender_was_told() -> None:
    outcomes = ("durable", "not_durable", "overloaded")
    before = [told(one) for one in outcomes]
    producer = FakeProducer()
    writer = publisher(producer, settings(gateway_max_unacknowledged=2))
    await say(writer, 1)
    producer.acknowledges = False
    late = [asyncio.create_task(say(writer, number)) for number in (2, 3)]
    await eventually_true(lambda: writer.unacknowledged == 2)
    with pytest.raises(Refused):
        await say(writer, 4)
    await asyncio.gather(*late, return_exceptions=True)
    # Given up long ago: what Kafka says of them now is told to nobody.
    producer.acknowledge()
    await eventually_true(lambda: writer.unacknowledged == 0)
    after = [told(one) for one in outcomes]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 2, 1]


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
    producer.acknowledge()
    await eventually_true(lambda: writer.unacknowledged == 0)
    assert (await say(writer, 2)).position.offset == 1
    assert writer.unacknowledged == 0


async def test_what_no_batch_has_taken_in_time_is_never_sent() -> None:
    producer = FakeProducer()
    producer.acknowledges = False
    writer = publisher(producer, settings())
    first = asyncio.create_task(say(writer, 0))
    await eventually_true(lambda: producer.pending)
    waiting = (say(writer, number) for number in range(1, 6))
    answers = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [isinstance(one, Refused) for one in answers] == [True] * 6
    assert writer.unacknowledged == 1
    producer.acknowledge()
    assert (await say(writer, 6)).position.offset == 1
    assert [event.client_message_id for event in producer.events()] == ["0", "6"]


async def test_everybody_is_answered_once_at_his_own_deadline() -> None:
    producer = FakeProducer()
    producer.acknowledges = False
    writer = publisher(producer, settings())
    answers: list[tuple[int, float]] = []
    started_s = clock.monotonic()

    def answer(number: int) -> Then:
        return lambda _outcome: answers.append((number, clock.monotonic() - started_s))

    messages = writer.messages(writer.source("c", client_id="me"))
    for number in range(4):
        messages.submit(utterance(number), answer(number))
        await asyncio.sleep(0.02)
    await eventually_true(lambda: len(answers) == 4)
    producer.acknowledge()
    await eventually_true(lambda: writer.unacknowledged == 0)
    assert [number for number, _ in answers] == [0, 1, 2, 3]
    assert all(at_s >= 0.05 + 0.02 * number for number, at_s in answers)


class BrokenProducer(FakeProducer):
    """Fails, for ever or a while."""

    fails = True

    async def append_batch(self, partition: int, batch: Sequence[Record]) -> list[Appended]:
        if self.fails:
            raise KafkaConnectionError
        return await super().append_batch(partition, batch)


async def test_an_error_of_kafka_is_not_durable_for_its_batch_and_the_next_one_goes_on() -> None:
    producer = BrokenProducer()
    writer = publisher(producer, settings())
    answers = await asyncio.gather(*(say(writer, n) for n in range(5)), return_exceptions=True)
    assert {one.code for one in answers if isinstance(one, Refused)} == {Code.NOT_DURABLE}
    assert len(answers) == 5
    assert writer.unacknowledged == 0
    producer.fails = False
    assert (await say(writer, 6)).position.offset == 0


async def test_who_gave_up_waiting_has_taken_nothing_back() -> None:
    producer = FakeProducer()
    producer.acknowledges = False
    writer = publisher(producer, GatewaySettings())
    saying = asyncio.create_task(say(writer, 1))
    await eventually_true(lambda: producer.pending)
    saying.cancel()
    await asyncio.wait({saying})
    assert writer.unacknowledged == 1
    producer.acknowledge()
    await eventually_true(lambda: writer.unacknowledged == 0)
    assert len(producer.events()) == 1


async def test_an_answer_that_cannot_be_given_takes_no_other_away() -> None:
    producer = FakeProducer()
    writer = publisher(producer, GatewaySettings())
    faults: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    messages = writer.messages(writer.source("c", client_id="me"))

    def fail(_outcome: object) -> None:
        raise RuntimeError("broken")

    answers: list[object] = []
    messages.submit(utterance(1), fail)
    messages.submit(utterance(2), answers.append)
    await eventually_true(lambda: answers)
    assert isinstance(answers[0], Recorded)
    [fault] = faults
    assert str(fault["exception"]) == "broken"


@pytest.mark.parametrize("who", [{}, {"user_id": "u", "session_id": "s", "connection_id": "x"}])
async def test_many_messages_are_written_as_one_is(who: dict[str, str]) -> None:
    producer = FakeProducer()
    writer = publisher(producer, GatewaySettings())
    source = writer.source("c", "phone", client_id="me", **who)
    clocks = Clocks(clock.now() - timedelta(days=8), clock.now())
    body = MessageRecorded(Role.ASSISTANT, Content("hi", "http://a", '{"a":1}'), "u1", "de")
    said = Utterance("1", body, clocks)
    answers: list[object] = []
    messages = writer.messages(source)
    messages.submit(Utterance("0", MessageRecorded(Role.USER, Content("x"))), answers.append)
    messages.submit(said, answers.append)
    single = await writer.record_utterance(source, said)
    _, many, one = producer.events()
    assert replace(many, received_at=one.received_at, event_time=one.event_time) == one
    assert many.received_at - many.event_time == timedelta(days=7)
    assert isinstance(answers[1], Recorded)
    assert answers[1].event_id == single.event_id


async def test_what_no_consumer_would_take_is_refused_before_it_is_sent() -> None:
    producer = FakeProducer()
    writer = publisher(producer, settings())
    said = Said("no uuid", MessageRecorded(Role.USER, Content("hello")))
    with pytest.raises(Refused) as caught:
        await writer.record(writer.source("c"), said)
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
        await writer.record_utterance(source, said)
    except Refused as refused:
        assert refused.code is Code.INVALID_FRAME
        assert "\0" in text + conversation_id + user_id + message_id or not conversation_id
        return
    [event] = producer.events()
    assert event.body == said.body
    assert (event.conversation_id, event.user_id) == (conversation_id, user_id)


async def test_a_policy_that_is_set_counts_for_the_next_message_of_an_open_connection() -> None:
    producer = FakeProducer()
    policies = Policies(settings().gap_policies())
    writer = Publisher([producer], settings(), policies, "incarnation", "gateway", 1)
    source = writer.source("c", "phone", client_id="me")
    messages = writer.messages(source)
    answered: list[object] = []
    for version in (1, 2, 3):
        if version > 1:
            policy = Policy("channel:phone", version, timedelta(minutes=version))
            policies.apply(ConfigChange("", "ops", clock.now(), GapPolicy("phone", policy)))
        messages.submit(utterance(version), answered.append)
        await writer.record_utterance(source, utterance(10 + version))
    await eventually_true(lambda: len(producer.events()) == 6)
    stamped = {one.client_message_id: one.policy for one in producer.events()}
    assert [stamped[str(one)].version for one in (1, 2, 3)] == [1, 2, 3]
    assert [stamped[str(one)].version for one in (11, 12, 13)] == [1, 2, 3]
    assert stamped["3"].idle_gap == timedelta(minutes=3)
    assert (stamped["1"].policy_id, stamped["2"].policy_id) == ("default", "channel:phone")
