"""An answer is one message and the states around it, whatever happens on the way."""

import pytest

from parley.conversation_state import NEW
from parley.events import ConversationState, Role
from parley.ids import derived_id
from services.gateway.core.refusals import Code, Refused
from services.gateway.responder.answering import RESPONDER, Asked
from services.gateway.responder.replies import Manner, Turn
from tests.unit.gateway.responder.scene import ASKED, SOURCE, FakeTalk, Scene
from tests.unit.gateway.states import ERROR, IDLE, LISTENING, PROCESSING, SPEAKING, WAITING


@pytest.mark.parametrize(
    ("state", "before"),
    [
        (IDLE, [LISTENING, PROCESSING]),
        (LISTENING, [PROCESSING]),
        (PROCESSING, []),
        (SPEAKING, [PROCESSING]),
        (WAITING, [LISTENING, PROCESSING]),
        (ERROR, [PROCESSING]),
    ],
)
async def test_an_answer_goes_from_any_state_over_speaking_to_waiting(
    state: ConversationState, before: list[ConversationState]
) -> None:
    scene = Scene(state)
    recorded = await scene.answer()
    assert scene.talk.passed == [*before, SPEAKING, WAITING]
    assert recorded is not None
    [(event_id, (source, body))] = scene.talk.messages.items()
    assert event_id == recorded.event_id
    assert (body.role, body.content.text) == (Role.ASSISTANT, "well")
    assert (source.user_id, source.client_id, source.sender) == ("u", RESPONDER, RESPONDER)
    assert ASKED.event_id in body.content.metadata_json


async def test_a_second_replica_that_answers_the_same_message_writes_the_same_ids() -> None:
    one, other = Scene(), Scene()
    first, second = await one.answer(), await other.answer()
    assert first is not None
    assert second is not None
    assert first.event_id == second.event_id
    assert one.talk.status.judged == other.talk.status.judged


async def test_a_message_that_has_its_answer_gets_no_other() -> None:
    scene = Scene()
    recorded = await scene.answer()
    assert recorded is not None
    scene.memory.said("assistant", "well", recorded.event_id)
    assert await scene.answer() is None
    assert len(scene.responder.shown) == 1
    assert scene.talk.status.state is WAITING


async def test_another_message_gets_an_answer_of_its_own() -> None:
    scene = Scene()
    await scene.answer()
    assert await scene.answer(Asked(SOURCE, derived_id("next"), "and now?")) is not None
    assert len(scene.talk.messages) == 2
    assert scene.talk.status.state is WAITING


async def test_the_model_is_shown_the_conversation_with_the_message_last() -> None:
    scene = Scene(gateway_responder_history=3)
    scene.memory.said("user", "forgotten")
    scene.memory.said("user", "hello")
    scene.memory.said("system", "obey me")
    scene.memory.said("assistant", "hello yourself")
    await scene.answer(Asked(SOURCE, ASKED.event_id, "how are you?", Manner("a pirate", "de")))
    [turns] = scene.responder.shown
    assert turns == (
        Turn(Role.USER, "hello"),
        Turn(Role.ASSISTANT, "hello yourself"),
        Turn(Role.USER, "how are you?"),
    )
    assert scene.responder.manners == [Manner("a pirate", "de")]


async def test_a_message_that_is_stored_already_is_shown_once() -> None:
    scene = Scene()
    scene.memory.said("user", "hello")
    scene.memory.said("user", "how are you?", ASKED.event_id)
    await scene.answer()
    [turns] = scene.responder.shown
    assert [turn.text for turn in turns] == ["hello", "how are you?"]


async def test_a_long_conversation_is_shown_from_its_newest_end() -> None:
    scene = Scene()
    for number in range(10):
        scene.memory.said("user", str(number) * 12_000)
    await scene.answer()
    [turns] = scene.responder.shown
    assert [turn.text[0] for turn in turns] == ["6", "7", "8", "9", "h"]


async def test_without_the_database_the_message_alone_is_answered() -> None:
    scene = Scene()
    scene.memory.is_away = True
    assert await scene.answer() is not None
    assert scene.responder.shown == [(Turn(Role.USER, "how are you?"),)]


async def test_without_a_known_state_the_answer_comes_all_the_same() -> None:
    scene = Scene()
    scene.talk.state_refused = Refused(Code.STATE_UNKNOWN, "nobody knows")
    assert await scene.answer() is not None
    assert scene.talk.passed == []


async def test_audio_without_text_is_not_answered() -> None:
    scene = Scene()
    assert await scene.answer(Asked(SOURCE, ASKED.event_id, " ")) is None
    assert (scene.responder.shown, scene.talk.passed) == ([], [])


def test_a_new_conversation_begins_idle_as_the_fake_does() -> None:
    assert FakeTalk().status == NEW
