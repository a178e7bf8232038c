"""One WebSocket: hello, frames in, acknowledgements and the conversation's frames out."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final
from uuid import UUID

from fastapi import WebSocket

from parley.ids import random_id
from services.gateway import metrics
from services.gateway.access import Identity
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
from services.gateway.connection.intake import Intake, Speaker, draining
from services.gateway.connection.outbox import Outbox, ReaderTooSlow
from services.gateway.connection.parts import Parts
from services.gateway.core.frames import Deliver, Frame, Hello, RawFrame
from services.gateway.core.outgoing import NOBODY, Origin, OutFrame
from services.gateway.core.parsing import open_frame, parse_frame
from services.gateway.core.refusals import Code, Refused
from services.gateway.limits import user_key
from services.gateway.rooms.open_room import OpenRoom
from services.gateway.rooms.replay import NotRecovered, Replay

HEARTBEAT_S: Final = 20.0
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
        settings = parts.settings
        self._outbox = Outbox(settings.gateway_max_unsent, settings.gateway_max_unsent_chars)
        self._intake: Intake | None = None
        self._guest: Guest
        self._room: OpenRoom
        self._user = ""
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
        if self._intake is not None:
            self._intake.is_draining = True
        status = {"status": "draining", "retry_after_ms": retry_after_ms}
        await self._socket.send("connection_status", status)
        if self._intake is not None:
            await self._intake.answered()
        await self._socket.close(SERVICE_RESTART)

    def push(self, frame: OutFrame) -> None:
        """Send a frame of the conversation soon; a reader too slow for that is sent away."""
        if self._socket.is_writable and not self._outbox:
            self._socket.write(frame.text)
            return
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
        guest = await begin_session(parts, self._socket, identity, room, source, hello)
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
        end = max(rooms.end_offset(self._room), replay.next_offset)
        rooms.join(self._room, self, end - 1)
        return True

    async def _serve(self) -> None:
        identity = self.identity
        if identity is None:
            raise RuntimeError("nobody said hello")
        speaker = Speaker(self._guest, self._room, identity, self._user, self._bucket)
        try:
            async with asyncio.TaskGroup() as tasks:
                intake = self._intake = Intake(self._parts, self._socket, speaker, tasks)
                intake.is_draining = self._is_draining
                self._socket.hand_over(intake.take, self._write_on)
                await self._socket.gone()
                await intake.finish()
        finally:
            self._parts.rooms.leave(self._room, self)

    def _write_on(self) -> None:
        """The client reads again."""
        while self._outbox and self._socket.is_writable:
            self._socket.write(self._outbox.take().text)
        if self._intake is not None:
            self._intake.go_on()

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
            raise draining()

    def _spread(self) -> int:
        return UUID(self._guest.source.connection_id).int % SPREAD_MS

    async def _leave(self) -> None:
        # Also after an end: one that lost to a later connection of the session has ended nothing,
        # and that one must not wait for this.
        if not self._is_draining:
            await self._parts.sessions.depart(self._guest.source)


def _hello(frame: Frame) -> Hello:
    if not isinstance(frame, Hello):
        raise Refused(Code.HELLO_REQUIRED, "the first frame must be a hello")
    return frame
