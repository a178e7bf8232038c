"""Takes a connection's frames in their order, and answers each when it is time."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from parley.events import Role
from parley.live import InterimTranscript
from parley.tracing import TRACING
from services.gateway.access import Identity, Permission
from services.gateway.connection.frame_socket import FrameSocket, binary_refused
from services.gateway.connection.greeting import Guest
from services.gateway.connection.parts import Parts
from services.gateway.core.frames import (
    End,
    Frame,
    Hello,
    Ping,
    RawFrame,
    Speech,
    Transition,
    Utterance,
)
from services.gateway.core.parsing import open_frame, parse_frame
from services.gateway.core.rates import TokenBucket
from services.gateway.core.refusals import Code, Refused
from services.gateway.rooms.open_room import OpenRoom
from services.gateway.stream import Outcome, Recorded

DONE: Final = 1000


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who sends the frames, where, as whom, and what is left of its share."""

    guest: Guest
    room: OpenRoom
    identity: Identity
    user: str
    bucket: TokenBucket


class Intake:
    """Takes frames while few are unanswered and the client reads its answers.

    Otherwise they are held back, and the socket is not read: what is held is what one read of it
    had brought. Messages are on their way when `take` returns; what needs more steps is a task,
    and the next frame waits until that has taken the first of them, so that the log has all in
    the order of the frames.
    """

    def __init__(
        self, parts: Parts, socket: FrameSocket, speaker: Speaker, tasks: asyncio.TaskGroup
    ) -> None:
        self._parts = parts
        self._socket = socket
        self._speaker = speaker
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._messages = parts.publisher.messages(speaker.guest.source)
        self._spend = partial(parts.limits.spend, speaker.user, speaker.bucket)
        self._max_in_flight = parts.settings.gateway_max_in_flight
        self._in_flight = 0
        # Frames that must have begun, or ended, before the next one is taken.
        self._beginning = 0
        self._held: deque[str | bytes] = deque()
        self._is_holding = False
        self._is_leaving = False
        # While somebody waits for that.
        self._all_answered: asyncio.Event | None = None
        self.is_draining = False
        self.is_ended = False

    def take(self, text: str | bytes) -> None:
        """Take the next frame, or hold it back; bytes are a frame that is no text."""
        if self._is_holding:
            self._held.append(text)
            return
        self._hear(text)
        if self._must_wait():
            self._is_holding = True
            self._socket.hold()

    def go_on(self) -> None:
        """Take what was held back, as far as there is room for it."""
        while self._held and not self._must_wait():
            self._hear(self._held.popleft())
        if self._is_holding and not self._must_wait():
            self._is_holding = False
            self._socket.go_on()

    async def answered(self) -> None:
        """Wait until nothing is in flight."""
        if self._in_flight:
            if self._all_answered is None:
                self._all_answered = asyncio.Event()
            await self._all_answered.wait()

    async def finish(self) -> None:
        """Take what the client had sent before it went, and wait until all of it is recorded."""
        self._is_leaving = True
        while self._held and not self.is_ended:
            self.go_on()
            await self.answered()
            # Where a frame was answered at once, the next one may wait for the loop only.
            await asyncio.sleep(0)
        await self.answered()

    def _must_wait(self) -> bool:
        if self._in_flight >= self._max_in_flight or self._beginning:
            return True
        return not (self._socket.is_writable or self._is_leaving)

    def _hear(self, text: str | bytes) -> None:
        raw: RawFrame | None = None
        try:
            if isinstance(text, bytes):
                raise binary_refused()
            raw = open_frame(text)
            self._spend()
            frame = _allowed(parse_frame(raw), self._speaker.identity)
            if TRACING.is_on:
                with TRACING.within(raw.traceparent):
                    self._do(raw, frame)
            else:
                self._do(raw, frame)
        except Refused as refused:
            self._socket.turn_away(raw, refused)

    def _do(self, raw: RawFrame, frame: Frame) -> None:
        match frame:
            # First, since nearly all are that.
            case Utterance() if not self.is_draining:
                then = partial(self._settle, raw)
                self._parts.talk.submit(self._messages, frame, self._speaker.room, then)
                self._in_flight += 1
            case Ping():
                self._socket.answer(raw, "pong")
            case Hello():
                raise Refused(Code.ALREADY_CONNECTED, "this connection has said hello")
            case _ if self.is_draining:
                raise draining()
            case InterimTranscript():
                self._parts.talk.interim(self._speaker.guest.source, frame)
                self._socket.count(raw, "ok")
            case Speech():
                self._start(self._speech(raw, frame))
            case Transition():
                self._start(self._transition(raw, frame))
            case End():
                self._beginning += 1
                self._start(self._end(raw, frame))

    # --- in flight ----------------------------------------------------------------------------

    def _settle(self, raw: RawFrame, outcome: Outcome | None) -> None:
        """Answer a frame that was in flight."""
        if isinstance(outcome, Refused):
            self._socket.turn_away(raw, outcome)
        else:
            self._socket.acknowledge(raw, outcome)
        self._in_flight -= 1
        if self._in_flight == 0 and self._all_answered is not None:
            self._all_answered.set()
            self._all_answered = None
        if self._is_holding:
            self.go_on()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._in_flight += 1
        self._beginning += 1
        self._tasks.create_task(work)
        # The loop calls in the order of asking: by then the task has come to where it waits.
        self._loop.call_soon(self._begun)

    def _begun(self) -> None:
        self._beginning -= 1
        if self._is_holding:
            self.go_on()

    # --- what needs more steps ----------------------------------------------------------------

    async def _speech(self, raw: RawFrame, speech: Speech) -> None:
        speaker = self._speaker
        outcome: Outcome | None
        try:
            outcome = await self._parts.talk.speech(speaker.guest.source, speech, speaker.room)
        except Refused as refused:
            outcome = refused
        self._settle(raw, outcome)

    async def _transition(self, raw: RawFrame, wanted: Transition) -> None:
        speaker = self._speaker
        outcome: Outcome
        try:
            change = await self._parts.talk.transition(speaker.guest.source, wanted, speaker.room)
            outcome = change.recorded
        except Refused as refused:
            outcome = refused
        self._settle(raw, outcome)

    async def _end(self, raw: RawFrame, end: End) -> None:
        guest = self._speaker.guest
        outcome: Recorded | Refused
        try:
            outcome = await self._parts.sessions.end(guest.source, guest.generation, end.clocks)
        except Refused as refused:
            outcome = refused
        else:
            # And so what comes behind an end is not heard.
            self.is_ended = True
        self._settle(raw, outcome)
        if self.is_ended:
            await self._socket.close(DONE)
        else:
            self._begun()


def draining() -> Refused:
    """What is answered once the gateway stops."""
    return Refused(Code.DRAINING, "this gateway is stopping: connect again", 0)


def _allowed(frame: Frame, identity: Identity) -> Frame:
    """The frame, unless it speaks as somebody that its sender is not; raises Refused."""
    if isinstance(frame, Utterance) and frame.body.role is not Role.USER:
        identity.requires(Permission.ANSWER)
    return frame
