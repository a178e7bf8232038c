"""Sealing is a pure function of the log, and its result one of the messages alone."""

import random

from hypothesis import given
from hypothesis import strategies as st

from parley.events import Event
from tests.unit.sealer import properties
from tests.unit.sealer.strategies import Log, logs, plain_messages

SEEDS = st.integers(0, 2**32 - 1).map(random.Random)


@given(logs(), SEEDS)
def test_batches_restores_and_forgetting_do_not_show(log: Log, chance: random.Random) -> None:
    properties.check_batches(log, chance)


@given(logs(), SEEDS)
def test_the_short_way_of_most_messages_does_not_show(log: Log, chance: random.Random) -> None:
    properties.check_extending(log, chance)


@given(logs(), SEEDS)
def test_workers_kills_and_former_owners_do_not_show(log: Log, chance: random.Random) -> None:
    properties.check_workers(log, chance)


@given(logs())
def test_seals_say_what_their_messages_say_and_lie_apart(log: Log) -> None:
    properties.check_seals(log)


@given(logs())
def test_no_conversation_shows_in_another_ones_seals(log: Log) -> None:
    properties.check_isolation(log)


@given(plain_messages(), SEEDS)
def test_any_order_and_any_repetition_end_in_the_partition_of_the_reference(
    messages: list[Event], chance: random.Random
) -> None:
    properties.check_any_order(messages, chance)
