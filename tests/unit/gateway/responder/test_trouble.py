"""Models that fail, transitions that are lost, a log that takes nothing: the talk goes on."""

import asyncio

import pytest

from parley.events import ConversationState
from services.gateway.core.frames import Transition
from services.gateway.core.refusals import Code, Refused
from services.gateway.responder.replies import ResponderFailed
from tests.unit.gateway.responder.scene import Scene
from tests.unit.gateway.states import ENDED, ERROR, IDLE, LISTENING, PROCESSING, SPEAKING, WAITING


async def test_a_provider_that_fails_is_an_error_which_passes() -> None:
    scene = Scene()
    scene.responder.failure = ResponderFailed("rate_limited", is_retryable=True)
    assert await scene.answer() is None
    assert scene.talk.passed == [LISTENING, PROCESSING, ERROR, WAITING]
    assert scene.talk.causes[2] == "responder: rate_limited"
    assert scene.talk.messages == {}
    scene.responder.failure = None
    assert await scene.answer() is not None
    assert scene.talk.status.state is WAITING


async def test_a_lost_transition_is_asked_for_again_from_where_the_conversation_is() -> None:
    scene = Scene(WAITING)
    scene.talk.is_overtaken(LISTENING, by=LISTENING)
    assert await scene.answer() is not None
    assert scene.talk.passed == [PROCESSING, SPEAKING, WAITING]


async def test_a_lost_transition_to_the_same_state_is_asked_for_under_another_id() -> None:
    scene = Scene(LISTENING)
    scene.talk.is_overtaken(PROCESSING, by=IDLE)
    assert await scene.answer() is not None
    assert scene.talk.passed == [LISTENING, PROCESSING, SPEAKING, WAITING]


async def test_who_loses_every_transition_still_answers() -> None:
    scene = Scene(WAITING)

    def somebody_is_quicker(_: Transition) -> None:
        scene.talk.go(SPEAKING if scene.talk.status.state is WAITING else WAITING)

    scene.talk.before_transition = somebody_is_quicker
    assert await scene.answer() is not None
    assert scene.talk.passed == []


@pytest.mark.parametrize("state", [IDLE, LISTENING, WAITING, ERROR])
async def test_whoever_moves_the_state_meanwhile_keeps_it(state: ConversationState) -> None:
    scene = Scene()
    scene.responder.meanwhile = lambda: scene.talk.go(state)
    assert await scene.answer() is not None
    assert scene.talk.passed == [LISTENING, PROCESSING]
    assert scene.talk.status.state is state


@pytest.mark.parametrize("state", [IDLE, LISTENING, WAITING])
async def test_a_failure_moves_no_state_that_is_another_s(state: ConversationState) -> None:
    scene = Scene()
    scene.responder.meanwhile = lambda: scene.talk.go(state)
    scene.responder.failure = ResponderFailed("timeout", is_retryable=True)
    assert await scene.answer() is None
    assert scene.talk.passed == [LISTENING, PROCESSING]
    assert scene.talk.status.state is state


async def test_a_conversation_that_has_ended_is_not_answered() -> None:
    scene = Scene(ENDED)
    assert await scene.answer() is None
    assert scene.responder.shown == []
    assert scene.talk.messages == {}


async def test_a_conversation_that_ends_meanwhile_is_left_alone() -> None:
    scene = Scene()
    scene.responder.meanwhile = lambda: scene.talk.go(ENDED)
    scene.talk.record_refusals = [Refused(Code.CONVERSATION_ENDED, "it has ended")]
    assert await scene.answer() is None
    assert scene.talk.status.state is ENDED


async def test_a_reply_that_kafka_did_not_take_is_sent_again_under_its_id() -> None:
    scene = Scene()
    scene.talk.record_refusals = [Refused(Code.NOT_DURABLE, "no", 0)] * 2
    assert await scene.answer() is not None
    assert len(scene.talk.messages) == 1
    assert scene.talk.passed[-2:] == [SPEAKING, WAITING]


async def test_a_reply_that_kafka_never_takes_is_an_error_which_passes() -> None:
    scene = Scene()
    scene.talk.record_refusals = [Refused(Code.NOT_DURABLE, "no")] * 10
    assert await scene.answer() is None
    assert scene.talk.passed[-3:] == [SPEAKING, ERROR, WAITING]
    assert len(scene.talk.record_refusals) == 7


async def test_a_bug_is_told_without_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene()
    scene.responder.failure = RuntimeError("how are you?")
    with pytest.raises(RuntimeError):
        await scene.answer()
    await asyncio.sleep(0)
    said = capsys.readouterr().out
    assert "answer_broke" in said
    assert "how are you?" not in said
