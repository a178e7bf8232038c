"""One WebSocket: hello, frames in, acknowledgements out."""

import asyncio
from typing import Any, Final

from fastapi import WebSocket

from parley.events import SessionResumed, SessionStarted
from parley.ids import random_id
from services.gateway.connection.frame_socket import FrameSocket
from services.gateway.core.events import Source
from services.gateway.core.frames import (
    End,
    Frame,
    Hello,
    Ping,
    RawFrame,
    Utterance,
    open_frame,
    parse_frame,
)
from services.gateway.core.refusals import Code, Refused
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher, Recorded

HEARTBEAT_S: Final = 20.0
DONE: Final = 1000
POLICY_VIOLATION: Final = 1008
SERVICE_RESTART: Final = 1012
TRY_AGAIN_LATER: Final = 1013
USER_AGENT_CHARS: Final = 512


class Connection:
    """A client's WebSocket, from its acceptance to its end."""

    def __init__(
        self,
        socket: WebSocket,
        conversation_id: str,
        settings: GatewaySettings,
        publisher: Publisher,
        sessions: Sessions,
    ) -> None:
        self._socket = FrameSocket(socket)
        self._settings = settings
        self._publisher = publisher
        self._sessions = sessions
        self._source = publisher.source(conversation_id, connection_id=random_id())
        self._generation = 0
        self._lane = asyncio.Lock()
        # Past it the socket is not read, and so the client has to wait.
        self._room = asyncio.Semaphore(settings.gateway_max_in_flight)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._is_ended = False
        self._is_draining = False

    async def run(self) -> None:
        """Serve the client until it ends its session, goes away, or the gateway drains."""
        await self._socket.accept()
        if not await self._greet():
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._read(tasks)
        finally:
            await self._leave()

    async def drain(self) -> None:
        """Take nothing more, let what is in flight be answered, and close."""
        self._is_draining = True
        await self._socket.send("connection_status", {"status": "draining"})
        if self._in_flight:
            await asyncio.wait(self._in_flight)
        await self._socket.close(SERVICE_RESTART)

    # --- hello --------------------------------------------------------------------------------

    async def _greet(self) -> bool:
        """Wait for a good hello and begin its session; False when there will be none."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.gateway_hello_timeout.total_seconds()
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    text = await self._socket.next_text()
                if text is None:
                    return False
                if await self._answer_hello(text):
                    return True
        except TimeoutError:
            refused = Refused(Code.HELLO_TIMEOUT, "the first frame must be a hello, and soon")
            await self._socket.refuse(None, refused)
            await self._socket.close(POLICY_VIOLATION)
            return False

    async def _answer_hello(self, text: str) -> bool:
        raw: RawFrame | None = None
        try:
            raw = open_frame(text)
            recorded = await self._begin(parse_frame(raw))
        except Refused as refused:
            await self._socket.refuse(raw, refused)
            if refused.is_retryable:
                await self._socket.close(TRY_AGAIN_LATER)
            return False
        await self._welcome(raw, recorded)
        return True

    async def _begin(self, hello: Frame) -> Recorded:
        if not isinstance(hello, Hello):
            raise Refused(Code.HELLO_REQUIRED, "the first frame must be a hello")
        self._refuse_while_draining()
        source = self._source_of(hello)
        connection_id = source.connection_id
        client_ip = self._socket.client_ip
        user_agent = self._socket.user_agent[:USER_AGENT_CHARS]
        if hello.session_id is None:
            generation = 1
            started = SessionStarted(
                generation, connection_id, client_ip, user_agent, hello.metadata_json
            )
            recorded = await self._sessions.start(source, started, self._lane)
        else:
            generation = self._sessions.next_generation(source, hello)
            resumed = SessionResumed(generation, connection_id, client_ip, user_agent)
            recorded = await self._sessions.resume(source, resumed, self._lane)
        self._source, self._generation = source, generation
        self._sessions.connect(source, generation)
        return recorded

    def _source_of(self, hello: Hello) -> Source:
        return self._publisher.source(
            self._source.conversation_id,
            hello.channel,
            user_id=hello.user_id,
            client_id=hello.client_id or random_id(),
            session_id=hello.session_id or random_id(),
            connection_id=self._source.connection_id,
        )

    async def _welcome(self, raw: RawFrame, recorded: Recorded) -> None:
        self._socket.count(raw, "ok")
        payload = {
            "status": "connected",
            "conversation_id": self._source.conversation_id,
            "session_id": self._source.session_id,
            "generation": self._generation,
            "client_id": self._source.client_id,
            "position": str(recorded.position),
            "heartbeat_interval_seconds": HEARTBEAT_S,
        }
        await self._socket.send("connection_status", payload, raw.frame_id)

    # --- frames -------------------------------------------------------------------------------

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while not self._is_ended:
            await self._room.acquire()
            text = await self._socket.next_text()
            if text is None:
                return
            await self._take(text, tasks)

    async def _take(self, text: str, tasks: asyncio.TaskGroup) -> None:
        """Answer a frame, or leave that to a task which gives its room back."""
        raw: RawFrame | None = None
        try:
            raw = open_frame(text)
            match parse_frame(raw):
                case Utterance() as utterance:
                    self._start(tasks, self._record(raw, utterance))
                    return
                case End() as end:
                    # A task too, so that it comes after those that have not begun yet.
                    await self._start(tasks, self._end(raw, end))
                    return
                case Ping():
                    self._socket.count(raw, "ok")
                    await self._socket.send("pong", {}, raw.frame_id)
                case Hello():
                    refused = Refused(Code.ALREADY_CONNECTED, "this connection has said hello")
                    await self._socket.refuse(raw, refused)
        except Refused as refused:
            await self._socket.refuse(raw, refused)
        self._room.release()

    def _start(self, tasks: asyncio.TaskGroup, work: Any) -> asyncio.Task[None]:
        # Tasks begin in the order in which they are made, which is that of the frames.
        task = tasks.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        task.add_done_callback(lambda _: self._room.release())
        return task

    async def _record(self, raw: RawFrame, utterance: Utterance) -> None:
        try:
            self._refuse_while_draining()
            recorded = await self._publisher.record_utterance(self._source, utterance, self._lane)
        except Refused as refused:
            await self._socket.refuse(raw, refused)
        else:
            await self._socket.acknowledge(raw, recorded)

    async def _end(self, raw: RawFrame, end: End) -> None:
        try:
            self._refuse_while_draining()
            recorded = await self._sessions.end(
                self._source, self._generation, self._lane, end.clocks
            )
        except Refused as refused:
            await self._socket.refuse(raw, refused)
        else:
            self._is_ended = True
            await self._socket.acknowledge(raw, recorded)

    def _refuse_while_draining(self) -> None:
        if self._is_draining:
            raise Refused(Code.DRAINING, "this gateway is stopping: connect again", 0)

    async def _leave(self) -> None:
        if self._is_ended:
            await self._socket.close(DONE)
        elif not self._is_draining:
            await self._sessions.depart(self._source)
