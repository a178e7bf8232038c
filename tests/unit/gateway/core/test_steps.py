"""The way from one state to another is one that the state machine allows, and a short one."""

from itertools import pairwise

import pytest

from parley.conversation_state import allowed_from
from parley.events import ConversationState
from services.gateway.core.steps import steps
from tests.unit.gateway.states import ENDED, ERROR, IDLE, LISTENING, PROCESSING, SPEAKING, WAITING


@pytest.mark.parametrize(
    ("state", "way"),
    [
        (IDLE, (LISTENING, PROCESSING)),
        (LISTENING, (PROCESSING,)),
        (PROCESSING, ()),
        (SPEAKING, (PROCESSING,)),
        (WAITING, (LISTENING, PROCESSING)),
        (ERROR, (PROCESSING,)),
        (ENDED, None),
    ],
)
def test_an_answer_begins_from_every_state_but_the_end(
    state: ConversationState, way: tuple[ConversationState, ...] | None
) -> None:
    assert steps(state, PROCESSING) == way


@pytest.mark.parametrize("state", ConversationState)
@pytest.mark.parametrize("target", ConversationState)
def test_every_step_is_allowed_and_none_passes_an_error(
    state: ConversationState, target: ConversationState
) -> None:
    way = steps(state, target)
    if way is None:
        assert state is ENDED
        return
    for here, there in pairwise((state, *way)):
        assert there in allowed_from(here)
    assert not {ERROR, ENDED} & set(way[:-1])
    assert (state, *way)[-1] is target
