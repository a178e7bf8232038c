"""What is written for one answer: the states on its way, the reply, or that there is none."""

import asyncio
from typing import Final, Protocol

import orjson
import structlog

from parley.conversation_state import ConversationStatus
from parley.events import Content, ConversationState, MessageRecorded, Role
from services.gateway.core.events import Source
from services.gateway.core.frames import Transition, Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.core.steps import steps
from services.gateway.responder.replies import Reply
from services.gateway.stream import Recorded

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
# Where a refusal does not say when to try again.
REST_S: Final = 0.5


class Talks(Protocol):
    """What is asked of the conversation; everything raises Refused."""

    async def state(self, tenant_id: str, conversation_id: str) -> ConversationStatus:
        """Where it stands."""

    async def transition(self, source: Source, wanted: Transition) -> object:
        """Ask for a transition and wait for the log's decision."""

    async def record(self, source: Source, utterance: Utterance) -> Recorded:
        """Make a message durable."""


class Answer:
    """The answer to one message. All its ids follow from the message's, so nothing is doubled.

    Others may move the state meanwhile, as a user who interrupts: then it is left to them.
    """

    def __init__(self, talk: Talks, source: Source, asked_event_id: str) -> None:
        self._talk = talk
        self._source = source
        self._asked_event_id = asked_event_id
        self._reply_id = f"reply:{asked_event_id}"
        self.reply_event_id = source.event_id(self._reply_id)

    async def begin(self) -> None:
        """PROCESSING, from wherever the conversation stands; raises Refused when it has ended."""
        for attempt in range(ATTEMPTS):
            state = await self._state()
            if state is None or await self._go(state, attempt):
                return

    async def say(self, reply: Reply) -> Recorded:
        """SPEAKING, the reply, WAITING_FOR_USER; raises Refused when it could not be recorded."""
        await self._move_from(ConversationState.PROCESSING, ConversationState.SPEAKING)
        try:
            recorded = await self._record(reply)
        except Refused as refused:
            await self.give_up(refused.code)
            raise
        await self._move_from(ConversationState.SPEAKING, ConversationState.WAITING_FOR_USER)
        return recorded

    async def give_up(self, reason: str) -> None:
        """ERROR with its cause, and back to WAITING_FOR_USER: the message is safe."""
        cause = f"responder: {reason}"
        for state in (ConversationState.PROCESSING, ConversationState.SPEAKING):
            await self._move_from(state, ConversationState.ERROR, cause)
        await self._move_from(ConversationState.ERROR, ConversationState.WAITING_FOR_USER, cause)

    async def _go(self, state: ConversationState, attempt: int) -> bool:
        """Whether all transitions to PROCESSING were granted."""
        for target in steps(state, ConversationState.PROCESSING) or ():
            # A request that lost has had its answer: the next attempt needs another id.
            if not await self._move(target, f"begin{attempt}"):
                return False
        return True

    async def _move_from(
        self, state: ConversationState, target: ConversationState, cause: str = ""
    ) -> None:
        try:
            is_there = await self._state() is state
        except Refused:
            # It has ended, and so there is no state to move.
            return
        if is_there:
            await self._move(target, f"from-{state}", cause)

    async def _move(self, target: ConversationState, step: str, cause: str = "") -> bool:
        request_id = f"{step}:{target}:{self._asked_event_id}"
        try:
            await self._talk.transition(
                self._source, Transition(request_id, target, cause or "responder")
            )
        except Refused as refused:
            # The answer matters more than the state that goes with it.
            log.info("state_left_alone", target=target, reason=refused.code)
            return False
        return True

    async def _state(self) -> ConversationState | None:
        """Where the conversation stands; None while nobody knows. Raises Refused once ended."""
        try:
            status = await self._talk.state(self._source.tenant_id, self._source.conversation_id)
        except Refused as refused:
            if not refused.is_retryable:
                raise
            return None
        if status.state is ConversationState.ENDED:
            raise Refused(Code.CONVERSATION_ENDED, "the conversation has ended")
        return status.state

    async def _record(self, reply: Reply) -> Recorded:
        utterance = Utterance(self._reply_id, self._message(reply))
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._talk.record(self._source, utterance)
            except Refused as refused:
                if not refused.is_retryable:
                    raise
                after_ms = refused.retry_after_ms
            await asyncio.sleep(REST_S if after_ms is None else after_ms / 1000)
        return await self._talk.record(self._source, utterance)

    def _message(self, reply: Reply) -> MessageRecorded:
        about = {
            "reply_to": self._asked_event_id,
            "model": reply.model,
            "is_offline": reply.is_offline,
        }
        metadata_json = orjson.dumps(about).decode()
        return MessageRecorded(Role.ASSISTANT, Content(reply.text, metadata_json=metadata_json))
