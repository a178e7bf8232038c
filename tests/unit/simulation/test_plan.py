"""Tests of what simulated clients send, and when."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.simulation.chats import CHATS
from parley.simulation.plan import Plan, frames


def test_without_a_duration_every_conversation_has_one_chat() -> None:
    plan = Plan(conversation_count=3, messages_a_second=6)
    for conversation in range(3):
        said = [(frame.role, frame.text) for frame in frames(plan, conversation)]
        assert said == list(CHATS[conversation])


def test_the_rate_is_that_of_all_conversations_together() -> None:
    plan = Plan(conversation_count=4, messages_a_second=10, seconds=8)
    due = sorted(frame.due_s for number in range(4) for frame in frames(plan, number))
    assert due == pytest.approx([number / 10 for number in range(80)])


def test_the_same_seed_gives_the_same_traffic() -> None:
    plan = Plan(2, 10, seconds=5, late_share=0.3, duplicate_share=0.3, seed=7)
    assert list(frames(plan, 1)) == list(frames(plan, 1))
    assert list(frames(plan, 1)) != list(frames(Plan(2, 10, 5, 0.3, 0.3, seed=8), 1))


@given(st.integers(1, 5), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_frames_are_sent_in_order_never_before_they_are_due_and_none_is_left_out(
    conversations: int, late_share: float, duplicate_share: float, seed: int
) -> None:
    plan = Plan(conversations, 20, 3, late_share, duplicate_share, seed)
    for conversation in range(conversations):
        sent = list(frames(plan, conversation))
        assert [frame.send_s for frame in sent] == sorted(frame.send_s for frame in sent)
        assert all(frame.send_s >= frame.due_s for frame in sent)
        copies = Counter(frame.number for frame in sent)
        assert sorted(copies) == list(range(plan.message_count(conversation)))
        assert set(copies.values()) <= {1, 2}


def test_late_messages_come_out_of_order() -> None:
    plan = Plan(1, 10, seconds=60, late_share=0.2)
    numbers = [frame.number for frame in frames(plan, 0)]
    assert numbers != sorted(numbers)


def test_a_copy_says_the_same_by_the_same_number() -> None:
    plan = Plan(1, 10, seconds=5, duplicate_share=1.0)
    said = {(frame.number, frame.due_s, frame.text) for frame in frames(plan, 0)}
    assert len(said) == 50
    assert len(list(frames(plan, 0))) == 100
