"""What can be done in a conversation, over whatever it was asked: WebSocket or HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from parley.conversation_state import ConversationStatus, allowed_from, is_allowed
from parley.events import (
    Content,
    ConversationState,
    MessageRevised,
    RevisionKind,
    StateRequested,
)
from parley.ids import random_id
from parley.live import InterimTranscript, SpeechEvent, SpeechKind
from services.gateway import metrics
from services.gateway.core.events import Said, Source
from services.gateway.core.frames import Speech, Spoken, Transition, Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.core.room import Decision
from services.gateway.rooms.open_room import OpenRoom
from services.gateway.rooms.rooms import Rooms
from services.gateway.rooms.snapshots import Snapshots, SnapshotUnavailable
from services.gateway.stream import MessageWriter, Publisher, Recorded, Then

# Until this gateway's tail has read what it asked for, and what was asked before.
DECISION_PATIENCE_S: Final = 10.0
RETRY_AFTER_MS: Final = 1_000

# What a voice's change means for the conversation, by where it stands; in any other state nothing.
_IMPLIED: Final = {
    SpeechKind.SPEECH_STARTED: (
        ConversationState.LISTENING,
        (
            ConversationState.IDLE,
            ConversationState.PROCESSING,
            ConversationState.WAITING_FOR_USER,
        ),
    ),
    SpeechKind.SPEECH_ENDED: (ConversationState.PROCESSING, (ConversationState.LISTENING,)),
    SpeechKind.PLAYBACK_STARTED: (
        ConversationState.SPEAKING,
        (ConversationState.PROCESSING, ConversationState.WAITING_FOR_USER),
    ),
    SpeechKind.PLAYBACK_ENDED: (
        ConversationState.WAITING_FOR_USER,
        (ConversationState.SPEAKING,),
    ),
    SpeechKind.INTERRUPTED: (ConversationState.WAITING_FOR_USER, (ConversationState.SPEAKING,)),
}


@dataclass(frozen=True, slots=True)
class StateChange:
    """A transition that was granted."""

    state: ConversationState
    previous_state: ConversationState
    recorded: Recorded


class Talk:
    """Messages, transitions and what is seen live, each checked against the conversation's state.

    Everything raises Refused. Whoever has the room open passes it; otherwise it is opened.
    """

    def __init__(self, rooms: Rooms, publisher: Publisher, snapshots: Snapshots) -> None:
        self._rooms = rooms
        self._publisher = publisher
        self._snapshots = snapshots

    async def state(self, tenant_id: str, conversation_id: str) -> ConversationStatus:
        """Where the conversation stands; state_unknown while nobody can say."""
        async with self._rooms.opened(tenant_id, conversation_id) as room:
            return _known(room)

    async def owner(self, tenant_id: str, conversation_id: str) -> str | None:
        """Whose conversation it is; None for nobody's, as a new one's."""
        async with self._rooms.opened(tenant_id, conversation_id) as room:
            if room.room.owner is None:
                _known(room)
            return room.room.owner

    async def record(
        self, source: Source, utterance: Utterance, room: OpenRoom | None = None
    ) -> Recorded:
        """Make a message durable; conversation_ended where the talk is over."""
        if room is None:
            async with self._rooms.opened(source.tenant_id, source.conversation_id) as opened:
                return await self.record(source, utterance, opened)
        event_id = source.event_id(utterance.client_message_id)
        if room.room.is_ended:
            return _recorded_before(room, event_id)
        return await self._publisher.record_utterance(source, utterance)

    async def record_all(
        self, tenant_id: str, messages: Sequence[tuple[Source, Utterance]]
    ) -> list[Recorded | Refused]:
        """Make messages of one tenant's conversations durable, each or not; in their order.

        Raises nothing: what became of each is in its place.
        """
        conversation_ids = {source.conversation_id for source, _ in messages}
        async with self._rooms.opened_all(tenant_id, conversation_ids) as rooms:
            # Each begins in its turn, and its record is on its way before the next one begins.
            return await asyncio.gather(
                *(self._tried(source, said, rooms) for source, said in messages)
            )

    async def _tried(
        self, source: Source, said: Utterance, rooms: Mapping[str, OpenRoom]
    ) -> Recorded | Refused:
        try:
            return await self.record(source, said, rooms[source.conversation_id])
        except Refused as refused:
            return refused

    async def transition(
        self, source: Source, wanted: Transition, room: OpenRoom | None = None
    ) -> StateChange:
        """Ask for a transition and wait for the log's decision.

        Raises invalid_transition where the state does not allow it, transition_lost where somebody
        else's came first.
        """
        if room is None:
            async with self._rooms.opened(source.tenant_id, source.conversation_id) as opened:
                return await self.transition(source, wanted, opened)
        try:
            async with _patiently(), room.asking:
                change = await self._decide(source, wanted, room)
        except Refused as refused:
            metrics.TRANSITIONS.labels(refused.code).inc()
            raise
        metrics.TRANSITIONS.labels("granted").inc()
        return change

    def submit(
        self, writer: MessageWriter, utterance: Utterance, room: OpenRoom, then: Then
    ) -> None:
        """As `record` over an open room, for who sends much: `then` is told what became of it.

        What can be refused at once is raised, and then nobody is told.
        """
        if room.room.is_ended:
            recorded = _recorded_before(room, writer.event_id(utterance.client_message_id))
            asyncio.get_running_loop().call_soon(then, recorded)
        else:
            writer.submit(utterance, then)

    def interim(self, source: Source, interim: InterimTranscript) -> None:
        """Show an utterance while it is still being said."""
        self._publisher.publish_live(source.tenant_id, source.conversation_id, interim, source)

    async def speech(
        self, source: Source, speech: Speech, room: OpenRoom | None = None
    ) -> Recorded | None:
        """Show a voice's change, record what was really spoken, and the state that follows."""
        if room is None:
            async with self._rooms.opened(source.tenant_id, source.conversation_id) as opened:
                return await self.speech(source, speech, opened)
        recorded = None
        if speech.spoken is not None:
            recorded = await self._revise(source, speech.spoken)
        else:
            body = SpeechEvent(speech.kind, speech.role, speech.utterance_id)
            self._publisher.publish_live(source.tenant_id, source.conversation_id, body, source)
        await self._imply(source, speech.kind, room)
        return recorded

    async def _decide(self, source: Source, wanted: Transition, room: OpenRoom) -> StateChange:
        event_id = source.event_id(wanted.client_message_id)
        former = await self._decided_before(room, event_id, wanted)
        if former is not None:
            return former
        status = _known(room)
        body = StateRequested(
            status.state, wanted.target, wanted.cause, wanted.client_message_id, wanted.reopen
        )
        if not is_allowed(status.state, body):
            raise _not_allowed(status.state, wanted)
        said = Said(event_id, body, wanted.clocks, wanted.client_message_id)
        decision = await self._ask(source, said, room)
        if not decision.is_granted:
            raise _lost(room)
        position = room.position(decision.offset)
        return StateChange(wanted.target, decision.previous, Recorded(event_id, position))

    async def _ask(self, source: Source, said: Said, room: OpenRoom) -> Decision:
        with room.deciding(said.event_id) as deciding:
            await self._publisher.record(source, said)
            return await deciding

    async def _decided_before(
        self, room: OpenRoom, event_id: str, wanted: Transition
    ) -> StateChange | None:
        """The answer to a request that was made before: it is given again, not decided again."""
        decision = room.room.decision(event_id)
        status = room.room.status
        if decision is None and status is not None and event_id in status.judged:
            decision = await self._stored_decision(room, event_id, wanted, status)
        if decision is None:
            return None
        if not decision.is_granted:
            raise _lost(room)
        recorded = Recorded(event_id, room.position(decision.offset))
        return StateChange(wanted.target, decision.previous, recorded)

    async def _stored_decision(
        self, room: OpenRoom, event_id: str, wanted: Transition, status: ConversationStatus
    ) -> Decision | None:
        try:
            found = await self._snapshots.decision(room.tenant_id, event_id)
        except SnapshotUnavailable as error:
            raise _unknown() from error
        if found is None:
            return None
        offset, is_granted = found
        return Decision(offset, is_granted, status.state, wanted.target)

    async def _revise(self, source: Source, spoken: Spoken) -> Recorded:
        target = spoken.target_event_id or source.event_id(spoken.target_id or "")
        body = MessageRevised(target, RevisionKind.INTERRUPTED, Content(spoken.text))
        said = Said(
            source.event_id(spoken.client_message_id), body, spoken.clocks, spoken.client_message_id
        )
        return await self._publisher.record(source, said)

    async def _imply(self, source: Source, kind: SpeechKind, room: OpenRoom) -> None:
        target, states = _IMPLIED[kind]
        async with _patiently(), room.asking:
            status = room.room.status
            if status is None or status.state not in states:
                return
            body = StateRequested(status.state, target, kind)
            await self._ask(source, Said(random_id(), body), room)


@asynccontextmanager
async def _patiently() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(DECISION_PATIENCE_S):
            yield
    except TimeoutError as error:
        raise Refused(
            Code.STATE_UNKNOWN,
            "what the log decided is not known yet: the same id may be sent again",
            RETRY_AFTER_MS,
        ) from error


def _known(room: OpenRoom) -> ConversationStatus:
    if room.room.status is None:
        raise _unknown()
    return room.room.status


def _unknown() -> Refused:
    return Refused(
        Code.STATE_UNKNOWN, "the conversation's state cannot be read now", RETRY_AFTER_MS
    )


def _not_allowed(state: ConversationState, wanted: Transition) -> Refused:
    allowed = allowed_from(state)
    names = ", ".join(allowed) or "nothing but idle, with reopen"
    return Refused(
        Code.INVALID_TRANSITION,
        f"from {state} a conversation cannot go to {wanted.target}; allowed: {names}",
        state=state,
        allowed=allowed,
    )


def _lost(room: OpenRoom) -> Refused:
    state = _known(room).state
    return Refused(
        Code.TRANSITION_LOST,
        f"another transition came first; the conversation is {state} now",
        state=state,
        allowed=allowed_from(state),
    )


def _recorded_before(room: OpenRoom, event_id: str) -> Recorded:
    """Where a message already lies that is sent again after the end; refused where it does not."""
    offset = room.room.seen_at(event_id)
    if offset is None:
        raise Refused(
            Code.CONVERSATION_ENDED, "the conversation has ended: reopen it, or begin another one"
        )
    return Recorded(event_id, room.position(offset))
