"""An answer is one message and the states around it, whatever happens on the way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from parley.conversation_state import NEW, ConversationStatus, fold, is_allowed
from parley.events import ConversationState, MessageRecorded, Role, StateRequested
from parley.ids import derived_id
from parley.position import Position
from services.gateway.core.events import Source
from services.gateway.core.frames import Transition, Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.responder import answer
from services.gateway.responder.answering import RESPONDER, Answering, Asked
from services.gateway.responder.replies import PLAIN, Manner, Reply, ResponderFailed, Turn
from services.gateway.responder.responder import OFFLINE, Responder
from services.gateway.settings import GatewaySettings
from services.gateway.store import StoreUnavailable
from services.gateway.stream import Recorded

IDLE = ConversationState.IDLE
LISTENING = ConversationState.LISTENING
PROCESSING = ConversationState.PROCESSING
SPEAKING = ConversationState.SPEAKING
WAITING = ConversationState.WAITING_FOR_USER
ERROR = ConversationState.ERROR
ENDED = ConversationState.ENDED

SOURCE = Source("t", "c", "g", user_id="u", client_id="me", session_id="s")
ASKED = Asked(SOURCE, derived_id("asked"), "how are you?")
Row = Mapping[str, Any]


class FakeTalk:
    """A conversation whose states are folded as the log's are, without a log."""

    def __init__(self, state: ConversationState = IDLE) -> None:
        self.status = ConversationStatus(state)
        self.passed: list[ConversationState] = []
        self.causes: list[str] = []
        self.messages: dict[str, tuple[Source, MessageRecorded]] = {}
        self.record_refusals: list[Refused] = []
        self.hangs = False
        self.state_refused: Refused | None = None
        self.before_transition: Callable[[Transition], None] = lambda _: None

    async def state(self, tenant_id: str, conversation_id: str) -> ConversationStatus:
        assert (tenant_id, conversation_id) == ("t", "c")
        if self.state_refused is not None:
            raise self.state_refused
        return self.status

    async def transition(self, source: Source, wanted: Transition) -> object:
        request = StateRequested(self.status.state, wanted.target)
        if not is_allowed(self.status.state, request):
            raise Refused(Code.INVALID_TRANSITION, "no")
        await asyncio.sleep(0)
        self.before_transition(wanted)
        event_id = source.event_id(wanted.client_message_id)
        self.status, is_granted = fold(self.status, event_id, request)
        if not is_granted:
            raise Refused(Code.TRANSITION_LOST, "another came first")
        self.passed.append(wanted.target)
        self.causes.append(wanted.cause)
        return None

    async def record(self, source: Source, utterance: Utterance) -> Recorded:
        if self.hangs:
            await asyncio.sleep(3600)
        if self.record_refusals:
            raise self.record_refusals.pop(0)
        event_id = source.event_id(utterance.client_message_id)
        assert event_id not in self.messages, "an answer was written twice"
        self.messages[event_id] = (source, utterance.body)
        return Recorded(event_id, Position("i", 0, len(self.messages)))

    def go(self, state: ConversationState) -> None:
        """Somebody else moves it."""
        self.status = ConversationStatus(state, self.status.judged)


class FakeResponder:
    """Says what it is told to, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Sequence[Turn]] = []
        self.manners: list[Manner] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.failure: ResponderFailed | Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    async def reply(self, turns: Sequence[Turn], manner: Manner = PLAIN) -> Reply:
        self.shown.append(turns)
        self.manners.append(manner)
        await self.answers.wait()
        self.meanwhile()
        if self.failure is not None:
            raise self.failure
        return Reply("well", "m")


class FakeMemory:
    """Stored messages."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.is_away = False

    async def newest_messages(
        self, tenant_id: str, conversation_id: str, limit: int
    ) -> Sequence[Row]:
        assert (tenant_id, conversation_id) == ("t", "c")
        if self.is_away:
            raise StoreUnavailable
        return self.rows[-limit:]

    def said(self, role: str, content: str, event_id: str = "") -> None:
        row_id = event_id or derived_id("row", str(len(self.rows)))
        at = datetime(2026, 1, 31, tzinfo=UTC)
        self.rows.append({"id": row_id, "role": role, "content": content, "event_time": at})


class Scene:
    """One conversation, one gateway that answers."""

    def __init__(self, state: ConversationState = IDLE, **settings: Any) -> None:
        self.talk = FakeTalk(state)
        self.responder = FakeResponder()
        self.memory = FakeMemory()
        made = GatewaySettings(**settings)
        self.answering = Answering(self.talk, self.responder, self.memory, made)

    async def answer(self, asked: Asked = ASKED) -> Recorded | None:
        return await self.answering.start(asked)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "REST_S", 0.0)


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
    rivals = [LISTENING]

    def somebody_is_quicker(wanted: Transition) -> None:
        if wanted.target is LISTENING and rivals:
            scene.talk.go(rivals.pop())

    scene.talk.before_transition = somebody_is_quicker
    assert await scene.answer() is not None
    assert scene.talk.passed == [PROCESSING, SPEAKING, WAITING]


async def test_a_lost_transition_to_the_same_state_is_asked_for_under_another_id() -> None:
    scene = Scene(LISTENING)
    rivals = [IDLE]

    def somebody_is_quicker(wanted: Transition) -> None:
        if wanted.target is PROCESSING and rivals:
            scene.talk.go(rivals.pop())

    scene.talk.before_transition = somebody_is_quicker
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


async def test_audio_without_text_is_not_answered() -> None:
    scene = Scene()
    assert await scene.answer(Asked(SOURCE, ASKED.event_id, " ")) is None
    assert (scene.responder.shown, scene.talk.passed) == ([], [])


async def test_past_the_bound_it_is_overloaded_until_an_answer_is_done() -> None:
    scene = Scene(gateway_responder_max_concurrent=2)
    scene.responder.answers.clear()
    under_way = [scene.answering.start(Asked(SOURCE, derived_id(one), "?")) for one in "ab"]
    for ask in (scene.answering.refuse_when_full, lambda: scene.answering.start(ASKED)):
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.code is Code.OVERLOADED
        assert refused.value.retry_after_ms
    scene.responder.answers.set()
    assert None not in await asyncio.gather(*under_way)
    assert await scene.answer() is not None


async def test_a_drain_lets_an_answer_finish() -> None:
    scene = Scene()
    scene.responder.answers.clear()
    task = scene.answering.start(ASKED)
    await asyncio.sleep(0.01)
    draining = asyncio.create_task(scene.answering.drain(5))
    await asyncio.sleep(0.01)
    with pytest.raises(Refused) as refused:
        scene.answering.start(ASKED)
    assert refused.value.code is Code.DRAINING
    scene.responder.answers.set()
    await draining
    assert await task is not None


async def test_a_drain_gives_up_an_answer_that_takes_too_long_and_says_so() -> None:
    scene = Scene()
    scene.responder.answers.clear()
    task = scene.answering.start(ASKED)
    await asyncio.sleep(0.01)
    await scene.answering.drain(0.01)
    assert task.done()
    assert task.result() is None
    assert scene.talk.passed[-2:] == [ERROR, WAITING]
    assert "responder: draining" in scene.talk.causes


async def test_a_drain_ends_although_kafka_hangs() -> None:
    scene = Scene()

    scene.talk.hangs = True
    task = scene.answering.start(ASKED)
    await asyncio.sleep(0.01)
    await scene.answering.drain(0.01)
    assert task.cancelled()


async def test_a_bug_is_told_without_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene()
    scene.responder.failure = RuntimeError("how are you?")
    with pytest.raises(RuntimeError):
        await scene.answer()
    await asyncio.sleep(0)
    said = capsys.readouterr().out
    assert "answer_broke" in said
    assert "how are you?" not in said


async def test_without_a_key_the_answer_says_that_it_is_offline_and_repeats_nothing() -> None:
    responder = Responder(GatewaySettings(openai_api_key=None))
    replies: list[Awaitable[Reply]] = [
        responder.reply([Turn(Role.USER, text)]) for text in ("secret", "other")
    ]
    first, second = await asyncio.gather(*replies)
    assert first == second == OFFLINE
    assert responder.is_offline
    assert first.is_offline
    assert "offline" in first.text
    assert "secret" not in first.text
    await responder.close()


@pytest.mark.parametrize("turns", [[], [Turn(Role.USER, "a"), Turn(Role.ASSISTANT, "b")]])
async def test_there_must_be_something_to_answer(turns: list[Turn]) -> None:
    with pytest.raises(ValueError, match="nothing to answer"):
        await Responder(GatewaySettings(openai_api_key=None)).reply(turns)


def test_a_new_conversation_begins_idle_as_the_fake_does() -> None:
    assert FakeTalk().status == NEW


def test_the_key_is_not_shown() -> None:
    settings = GatewaySettings(openai_api_key="sk-hush")  # type: ignore[arg-type]
    assert "sk-hush" not in repr(settings)
