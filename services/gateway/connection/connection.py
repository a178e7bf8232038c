"""One WebSocket: hello, frames in, acknowledgements and the conversation's frames out."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import UUID

from fastapi import WebSocket

from parley.events import Role
from parley.ids import random_id
from services.gateway import metrics
from services.gateway.access import Identity, Permission
from services.gateway.connection.frame_socket import FrameSocket
from services.gateway.connection.greeting import (
    Guest,
    Welcome,
    begin_session,
    catch_up,
    is_wanted,
    refuse_strangers,
    source_of,
)
from services.gateway.connection.outbox import Outbox, ReaderTooSlow
from services.gateway.connection.parts import Parts
from services.gateway.core.frames import (
    Deliver,
    End,
    Frame,
    Hello,
    Interim,
    Ping,
    RawFrame,
    Speech,
    Transition,
    Utterance,
)
from services.gateway.core.outgoing import NOBODY, Origin, OutFrame
from services.gateway.core.parsing import open_frame, parse_frame
from services.gateway.core.refusals import Code, Refused
from services.gateway.limits import user_key
from services.gateway.rooms.open_room import OpenRoom
from services.gateway.rooms.replay import NotRecovered, Replay
from services.gateway.stream import Recorded

HEARTBEAT_S: Final = 20.0
DONE: Final = 1000
POLICY_VIOLATION: Final = 1008
EXPIRY_NOTICE_S: Final = 1.0
SERVICE_RESTART: Final = 1012
TRY_AGAIN_LATER: Final = 1013
# For these refusals of a hello another one over the same connection would not help.
_NOT_WELCOME: Final = frozenset({Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.NO_CONVERSATION})
# Over so long the clients of a gateway that stops come back elsewhere.
SPREAD_MS: Final = 3_000


class Connection:
    """A client's WebSocket, from its acceptance to its end; in its room it is a listener."""

    def __init__(
        self, socket: WebSocket, conversation_id: str, caller: Identity | None, parts: Parts
    ) -> None:
        self.connection_id = random_id()
        # None until a hello brings the token.
        self.identity = caller
        self._bucket = parts.limits.bucket()
        self._socket = FrameSocket(socket)
        self._conversation_id = conversation_id
        self._parts = parts
        self._lane = asyncio.Lock()
        self._outbox = Outbox(parts.settings.gateway_max_unsent)
        # Past it the socket is not read, and so the client has to wait.
        self._room_for_frames = asyncio.Semaphore(parts.settings.gateway_max_in_flight)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._guest: Guest
        self._room: OpenRoom
        self._user = ""
        self._is_ended = False
        self._is_draining = False
        self._is_evicted = False
        self.deliver = Deliver.ALL
        self.origin: Origin = NOBODY
        self.after = -1

    async def run(self) -> None:
        """Serve the client until it ends its session, goes away, or the gateway drains."""
        await self._socket.accept()
        async with AsyncExitStack() as held:
            replay = await self._greet(held)
            if replay is not None and await self._join(replay):
                await self._serve()

    async def drain(self) -> None:
        """Take nothing more, let what is in flight be answered, and close."""
        self._is_draining = True
        retry_after_ms = self._spread() if hasattr(self, "_guest") else 0
        status = {"status": "draining", "retry_after_ms": retry_after_ms}
        await self._socket.send("connection_status", status)
        if self._in_flight:
            await asyncio.wait(self._in_flight)
        await self._socket.close(SERVICE_RESTART)

    def push(self, frame: OutFrame) -> None:
        """Send a frame of the conversation soon; a reader too slow for that is sent away."""
        try:
            self._outbox.put(frame)
        except ReaderTooSlow:
            if not self._is_evicted:
                self._is_evicted = True
                metrics.EVICTIONS.labels(Code.SLOW_READER).inc()
                self._socket.evict(TRY_AGAIN_LATER)

    # --- hello --------------------------------------------------------------------------------

    async def _greet(self, held: AsyncExitStack) -> Replay | None:
        """Wait for a good hello and begin its session; None when there will be none."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._parts.settings.gateway_hello_timeout.total_seconds()
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    text = await self._socket.next_text()
                if text is None:
                    return None
                greeted = await self._answer_hello(text, held)
                if greeted is not None:
                    return greeted
        except TimeoutError:
            refused = Refused(Code.HELLO_TIMEOUT, "the first frame must be a hello, and soon")
            await self._socket.refuse(None, refused)
            await self._socket.close(POLICY_VIOLATION)
            return None

    async def _answer_hello(self, text: str, held: AsyncExitStack) -> Replay | None:
        raw: RawFrame | None = None
        try:
            raw = open_frame(text)
            await self._begin(_hello(parse_frame(raw)), held)
        except Refused as refused:
            await self._socket.refuse(raw, refused)
            if refused.is_retryable:
                await self._socket.close(TRY_AGAIN_LATER)
            elif refused.code in _NOT_WELCOME:
                await self._socket.close(POLICY_VIOLATION)
            return None
        self._socket.count(raw, "ok")
        welcome = Welcome(self._parts, self._socket, self._room, self._guest)
        return await welcome.greet(raw.frame_id, HEARTBEAT_S)

    async def _begin(self, hello: Hello, held: AsyncExitStack) -> None:
        self._refuse_while_draining()
        parts = self._parts
        identity = self.identity or parts.access.identify(hello.token)
        source = source_of(parts, identity, self._conversation_id, self.connection_id, hello)
        self._user = user_key(source.tenant_id, source.user_id)
        parts.limits.name(self.connection_id, self._user)
        opened = parts.rooms.opened(source.tenant_id, source.conversation_id)
        room = await held.enter_async_context(opened)
        refuse_strangers(identity, room)
        guest = await begin_session(parts, self._socket, source, hello, self._lane)
        self.identity = identity
        held.push_async_callback(self._leave)
        self._room, self._guest = room, guest
        self.deliver, self.origin = hello.deliver, (source.sender, source.client_id)

    # --- frames -------------------------------------------------------------------------------

    async def _join(self, replay: Replay) -> bool:
        """Bring the client to the present and join the room there, with nothing in between."""
        rooms = self._parts.rooms
        if self.deliver is not Deliver.NONE:
            try:
                await catch_up(replay, self._socket, self.deliver, self.origin)
            except NotRecovered:
                # Something was sent already: from there the client tries again.
                await self._socket.close(TRY_AGAIN_LATER)
                return False
            for frame in replay.rest():
                if is_wanted(frame, self.deliver, self.origin):
                    self.push(frame)
        rooms.join(self._room, self, rooms.end_offset(self._room) - 1)
        return True

    async def _serve(self) -> None:
        writer = asyncio.create_task(self._write())
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._read(tasks)
        finally:
            writer.cancel()
            self._parts.rooms.leave(self._room, self)

    async def _write(self) -> None:
        while True:
            await self._socket.pass_on(await self._outbox.take())

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while not self._is_ended:
            await self._room_for_frames.acquire()
            text = await self._socket.next_text()
            if text is None:
                return
            await self._take(text, tasks)

    async def _take(self, text: str, tasks: asyncio.TaskGroup) -> None:
        """Answer a frame, or leave that to a task which gives its room back."""
        raw: RawFrame | None = None
        try:
            raw = open_frame(text)
            self._parts.limits.spend(self._user, self._bucket)
            match _allowed(parse_frame(raw), self.identity):
                case Utterance() | Speech() | Transition() as said:
                    self._start(tasks, self._answer(raw, said))
                    return
                case End() as end:
                    # A task too, so that it comes after those that have not begun yet.
                    await self._start(tasks, self._end(raw, end))
                    return
                case Interim() as interim:
                    self._refuse_while_draining()
                    await self._parts.talk.interim(self._guest.source, interim)
                    self._socket.count(raw, "ok")
                case Ping():
                    self._socket.count(raw, "ok")
                    await self._socket.send("pong", {}, raw.frame_id)
                case Hello():
                    refused = Refused(Code.ALREADY_CONNECTED, "this connection has said hello")
                    await self._socket.refuse(raw, refused)
        except Refused as refused:
            await self._socket.refuse(raw, refused)
        self._room_for_frames.release()

    def _start(self, tasks: asyncio.TaskGroup, work: Any) -> asyncio.Task[None]:
        # Tasks begin in the order in which they are made, which is that of the frames.
        task = tasks.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._room_for_frames.release()

    async def _answer(self, raw: RawFrame, said: Utterance | Speech | Transition) -> None:
        try:
            self._refuse_while_draining()
            recorded = await self._do(said)
        except Refused as refused:
            await self._socket.refuse(raw, refused)
        else:
            await self._socket.acknowledge(raw, recorded)

    async def _do(self, said: Utterance | Speech | Transition) -> Recorded | None:
        talk, source = self._parts.talk, self._guest.source
        match said:
            case Utterance():
                return await talk.record(source, said, self._lane, self._room)
            case Speech():
                return await talk.speech(source, said, self._lane, self._room)
            case Transition():
                change = await talk.transition(source, said, self._lane, self._room)
                return change.recorded

    async def _end(self, raw: RawFrame, end: End) -> None:
        guest = self._guest
        try:
            self._refuse_while_draining()
            recorded = await self._parts.sessions.end(
                guest.source, guest.generation, self._lane, end.clocks
            )
        except Refused as refused:
            await self._socket.refuse(raw, refused)
        else:
            self._is_ended = True
            await self._socket.acknowledge(raw, recorded)

    async def expire(self) -> None:
        """What the client was let in with counts no more: tell it, and close."""
        refused = Refused(Code.TOKEN_EXPIRED, "your token has expired or was revoked")
        metrics.EVICTIONS.labels(refused.code).inc()
        try:
            # One that takes nothing must not keep the others from being sent away.
            async with asyncio.timeout(EXPIRY_NOTICE_S):
                await self._socket.refuse(None, refused)
                await self._socket.close(POLICY_VIOLATION)
        except TimeoutError:
            self._socket.evict(POLICY_VIOLATION)

    def _refuse_while_draining(self) -> None:
        if self._is_draining:
            raise Refused(Code.DRAINING, "this gateway is stopping: connect again", 0)

    def _spread(self) -> int:
        return UUID(self._guest.source.connection_id).int % SPREAD_MS

    async def _leave(self) -> None:
        if self._is_ended:
            await self._socket.close(DONE)
        elif not self._is_draining:
            await self._parts.sessions.depart(self._guest.source)


def _allowed(frame: Frame, identity: Identity | None) -> Frame:
    """The frame, unless it speaks as somebody that its sender is not; raises Refused."""
    if isinstance(frame, Utterance) and frame.body.role is not Role.USER and identity is not None:
        identity.requires(Permission.ANSWER)
    return frame


def _hello(frame: Frame) -> Hello:
    if not isinstance(frame, Hello):
        raise Refused(Code.HELLO_REQUIRED, "the first frame must be a hello")
    return frame
