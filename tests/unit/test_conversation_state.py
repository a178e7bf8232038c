"""The state machine: what is allowed, who wins, and that every fold of one log agrees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.conversation_state import (
    NEW,
    REMEMBERED,
    ConversationStatus,
    allowed_from,
    fold,
    is_allowed,
)
from parley.events import ConversationState, StateRequested

S = ConversationState
CHAIN = [S.IDLE, S.LISTENING, S.PROCESSING, S.SPEAKING, S.WAITING_FOR_USER]
# Written out by hand, row by row, so that it is not the code's own rule that is asked.
TABLE = {
    S.IDLE: {S.LISTENING, S.ERROR, S.ENDED},
    S.LISTENING: {S.IDLE, S.PROCESSING, S.ERROR, S.ENDED},
    S.PROCESSING: {S.LISTENING, S.SPEAKING, S.ERROR, S.ENDED},
    S.SPEAKING: {S.PROCESSING, S.WAITING_FOR_USER, S.ERROR, S.ENDED},
    S.WAITING_FOR_USER: {S.SPEAKING, S.LISTENING, S.ERROR, S.ENDED},
    S.ERROR: {*CHAIN, S.ENDED},
    S.ENDED: set(),
}


@pytest.mark.parametrize("state", S)
def test_what_is_allowed_from_each_state(state: ConversationState) -> None:
    assert set(allowed_from(state)) == TABLE[state]
    for target in S:
        assert is_allowed(state, StateRequested(state, target)) == (target in TABLE[state])


@pytest.mark.parametrize("state", S)
def test_only_an_ended_conversation_is_reopened_and_only_to_idle(state: ConversationState) -> None:
    for target in S:
        request = StateRequested(state, target, reopen=True)
        assert is_allowed(state, request) == (state is S.ENDED and target is S.IDLE)


def test_of_two_requests_from_one_state_the_first_wins() -> None:
    status = ConversationStatus(S.LISTENING)
    status, first = fold(status, "1", StateRequested(S.LISTENING, S.PROCESSING))
    status, second = fold(status, "2", StateRequested(S.LISTENING, S.IDLE))
    assert (first, second, status.state) == (True, False, S.PROCESSING)


def test_a_request_that_thought_to_be_elsewhere_loses_although_its_target_is_near() -> None:
    status = ConversationStatus(S.LISTENING)
    assert fold(status, "1", StateRequested(S.SPEAKING, S.PROCESSING)) == (
        ConversationStatus(S.LISTENING, ("1",)),
        False,
    )


@pytest.mark.parametrize("target", [S.ERROR, S.ENDED])
def test_error_and_end_are_granted_wherever_the_asker_thought_to_be(
    target: ConversationState,
) -> None:
    for state in CHAIN:
        status, is_granted = fold(ConversationStatus(state), "1", StateRequested(S.ENDED, target))
        assert (status.state, is_granted) == (target, True)


def test_a_copy_decides_nothing() -> None:
    request = StateRequested(S.IDLE, S.LISTENING)
    status, _ = fold(NEW, "1", request)
    status, _ = fold(status, "2", StateRequested(S.LISTENING, S.IDLE))
    assert fold(status, "1", request) == (status, False)


def test_so_many_requests_are_remembered_and_no_more() -> None:
    status = NEW
    for number in range(100):
        status, _ = fold(status, str(number), StateRequested(S.IDLE, S.LISTENING))
    assert status.judged == tuple(str(number) for number in range(100 - REMEMBERED, 100))


REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 40).map(str),
        st.builds(StateRequested, st.sampled_from(S), st.sampled_from(S), reopen=st.booleans()),
    ),
    max_size=80,
)


@given(REQUESTS, st.integers(0, 80))
def test_a_fold_that_is_stored_and_gone_on_with_anywhere_ends_alike(
    log: list[tuple[str, StateRequested]], split: int
) -> None:
    whole = NEW
    for event_id, request in log:
        whole, _ = fold(whole, event_id, request)
    first = NEW
    for event_id, request in log[:split]:
        first, _ = fold(first, event_id, request)
    second = ConversationStatus(ConversationState(first.state.value), tuple(first.judged))
    for event_id, request in log[split:]:
        second, _ = fold(second, event_id, request)
    assert second == whole


@given(REQUESTS)
def test_the_state_only_moves_as_the_table_says(log: list[tuple[str, StateRequested]]) -> None:
    status = NEW
    for event_id, request in log:
        before = status.state
        status, is_granted = fold(status, event_id, request)
        assert is_granted == (status.state is not before)
        assert not is_granted or status.state in TABLE[before] | (
            {S.IDLE} if request.reopen and before is S.ENDED else set()
        )
