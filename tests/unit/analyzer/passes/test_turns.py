"""Turns are what one side said before the other spoke."""

from itertools import pairwise

from hypothesis import given

from parley.digests import SpokenMember
from parley.events import Role
from services.analyzer.passes.turns import TALKING_ROLES, turns_of
from tests.unit.analyzer.samples import MESSAGES, assistant, spoken, user


def test_consecutive_messages_of_one_role_are_one_turn() -> None:
    messages = [user(0, "a"), user(1, "b"), assistant(2, "c"), user(3, "d")]
    turns = turns_of(messages)
    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert [len(turn.messages) for turn in turns] == [2, 1, 1]


def test_tool_and_system_messages_do_not_end_a_turn() -> None:
    between = [spoken(1, Role.TOOL, "{}"), spoken(2, Role.SYSTEM, "be kind")]
    (turn,) = turns_of([assistant(0, "let me see"), *between, assistant(3, "here")])
    assert [message.content.text for message in turn.messages] == ["let me see", "here"]


@given(MESSAGES)
def test_turns_hold_all_talk_in_order_and_alternate(messages: list[SpokenMember]) -> None:
    turns = turns_of(messages)
    talk = [message for message in messages if message.role in TALKING_ROLES]
    assert [message for turn in turns for message in turn.messages] == talk
    assert all(a.role is not b.role for a, b in pairwise(turns))
