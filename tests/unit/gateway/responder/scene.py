"""A conversation, a model and stored messages that are made up, and who answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from parley.conversation_state import ConversationStatus, fold, is_allowed
from parley.events import ConversationState, MessageRecorded, StateRequested
from parley.ids import derived_id
from parley.position import Position
from services.gateway.core.events import Source
from services.gateway.core.frames import Transition, Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.responder.answering import Answering, Asked
from services.gateway.responder.replies import PLAIN, Manner, Reply, ResponderFailed, Turn
from services.gateway.settings import GatewaySettings
from services.gateway.store import StoreUnavailable
from services.gateway.stream import Recorded
from tests.unit.gateway.states import IDLE

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

    def is_overtaken(self, wanted: ConversationState, by: ConversationState) -> None:
        """Somebody else moves it once, just before it goes where it is wanted."""
        rivals = [by]

        def somebody_is_quicker(transition: Transition) -> None:
            if transition.target is wanted and rivals:
                self.go(rivals.pop())

        self.before_transition = somebody_is_quicker


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
