"""One conversation with a gateway, over as many connections as it takes."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from parley import clock
from parley.client.backoff import Backoff
from parley.client.dialing import dial
from parley.client.errors import FRAME_TOO_BIG, UNREACHABLE, Refused
from parley.client.frames import Ack, Connected, Draining, Frame, Problem
from parley.client.listener import Greeting, Listener, Place, Token
from parley.client.outbox import Outbox
from parley.client.parsing import parse
from parley.client.sending import Outgoing

HELLO_TIMEOUT_S: Final = 10.0
# Well above the gateway's own patience with Kafka: past it the gateway itself is stuck.
ACK_TIMEOUT_S: Final = 30.0
DRAIN_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S: Final = 0.5
# A connection that held so long was a good one, though nothing was said.
STABLE_S: Final = 5.0
MAX_LIVE: Final = 64
MESSAGE_TOO_BIG: Final = 1009
_SERVER_ERROR: Final = 500
_TOO_MANY_REQUESTS: Final = 429


class _TryAgain(Exception):
    """A connection came to nothing; the next one may be better."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Line:
    """Connects, says hello, sends what is in the outbox, and does all of it again when need be."""

    def __init__(
        self,
        url: str,
        greeting: Greeting,
        listener: Listener,
        token: Token = None,
        gives_up: Callable[[Problem], bool] = lambda _: True,
        place: Place | None = None,
        reconnects: bool = True,
    ) -> None:
        self.outbox = Outbox()
        self.place = place or Place()
        self.is_connected = False
        self._url = url
        self._greeting = greeting
        self._listener = listener
        self._token = token
        self._gives_up = gives_up
        self._reconnects = reconnects
        self._backoff = Backoff()
        self._live: deque[str] = deque(maxlen=MAX_LIVE)
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._draining: Draining | None = None

    async def run(self) -> None:
        """Talk until stopped; raises Refused where the gateway does not want this client."""
        while not self._stopping.is_set():
            not_before_s = await self._attempt()
            if self._stopping.is_set():
                return
            if not self._reconnects:
                raise Refused(Problem(UNREACHABLE, "the connection is gone", retryable=True))
            await self._pause(max(not_before_s, self._backoff.next_s()))

    def stop(self) -> None:
        """Close the connection and return from `run`; what is in the outbox stays there."""
        self._stopping.set()
        self._changed.set()

    def add(self, frame: Outgoing) -> None:
        """Send it until it is acknowledged, after all that were added before."""
        self.outbox.add(frame)
        self._changed.set()

    def send_live(self, text: str) -> bool:
        """Send it if there is a connection; nobody will know whether it came."""
        if self.is_connected:
            self._live.append(text)
            self._changed.set()
        return self.is_connected

    # --- connections --------------------------------------------------------------------------

    async def _attempt(self) -> float:
        """One connection, from its opening to its end; seconds to wait before the next."""
        began_s = clock.monotonic()
        self._draining = None
        try:
            async with dial(self._url) as socket:
                await self._greet(socket)
                await self._converse(socket)
        except ConnectionClosed as closed:
            self._judge_close(closed)
        except _TryAgain as again:
            return _retry_after_s(again.problem, 0.0)
        except InvalidStatus as error:
            self._judge(_status_problem(error))
        except (OSError, TimeoutError, WebSocketException) as error:
            name = type(error).__name__
            self._listener.troubled(Problem(UNREACHABLE, name, retryable=True))
        finally:
            self._hang_up(began_s)
        return self._draining.retry_after_ms / 1000 if self._draining else 0.0

    def _hang_up(self, began_s: float) -> None:
        self.outbox.lose_connection()
        self._live.clear()
        if not self.is_connected:
            return
        self.is_connected = False
        if clock.monotonic() - began_s > STABLE_S:
            self._backoff.reset()
        self._listener.lost()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _judge(self, problem: Problem) -> None:
        """Raise what ends the line; anything else passes."""
        if not problem.retryable and self._gives_up(problem):
            raise Refused(problem)
        self._listener.troubled(problem)

    def _judge_close(self, closed: ConnectionClosed) -> None:
        code = closed.rcvd.code if closed.rcvd else None
        if code == MESSAGE_TOO_BIG and (guilty := self.outbox.suspect_in_flight()):
            self._refuse(guilty, Problem(FRAME_TOO_BIG, "more than the gateway takes", id=guilty))

    # --- hello --------------------------------------------------------------------------------

    async def _greet(self, socket: ClientConnection) -> None:
        await socket.send(self._hello())
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            while True:
                frame = parse(await socket.recv())
                if isinstance(frame, Connected):
                    break
                if isinstance(frame, Problem):
                    self._judge(frame)
                    raise _TryAgain(frame)
        self.place.session_id, self.place.generation = frame.session_id, frame.generation
        self.is_connected = True
        self._listener.connected(frame)

    def _hello(self) -> str:
        greeting, place = self._greeting, self.place
        payload = {
            "token": self._token() if callable(self._token) else self._token,
            "client_id": greeting.client_id,
            "user_id": greeting.user_id,
            "channel": greeting.channel,
            "metadata": greeting.metadata,
            "deliver": greeting.deliver,
            "session_id": place.session_id,
            "generation": place.generation,
            "position": place.position,
        }
        present = {name: value for name, value in payload.items() if value}
        return orjson.dumps({"type": "hello", "payload": present}).decode()

    # --- frames -------------------------------------------------------------------------------

    async def _converse(self, socket: ClientConnection) -> None:
        tasks = [
            asyncio.create_task(self._read(socket)),
            asyncio.create_task(self._write(socket)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ended = [task for task in tasks if task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            self._take(parse(await socket.recv()))

    def _take(self, frame: Frame) -> None:
        match frame:
            case Ack():
                self._acknowledge(frame)
            case Problem(id=str(frame_id), retryable=True):
                self._delay(frame_id, frame)
            case Problem(id=str(frame_id)):
                self._refuse(frame_id, frame)
            case Draining():
                self._draining = frame
                self._changed.set()
            case _:
                self._listener.heard(frame)

    def _acknowledge(self, ack: Ack) -> None:
        frame = self.outbox.settle(ack.id)
        self._backoff.reset()
        self._changed.set()
        if frame is not None:
            self._listener.acknowledged(frame, ack)

    def _refuse(self, frame_id: str, problem: Problem) -> None:
        frame = self.outbox.settle(frame_id)
        self._changed.set()
        if frame is not None:
            self._listener.refused(frame, problem)

    def _delay(self, frame_id: str, problem: Problem) -> None:
        retry_s = clock.monotonic() + _retry_after_s(problem, RETRY_AFTER_S)
        if not self.outbox.refuse_for_now(frame_id, retry_s):
            return
        if problem.code == "draining" and self._draining is None:
            # It would say so again and again over this connection.
            self._draining = Draining(problem.retry_after_ms or 0)
        self._listener.troubled(problem)
        self._changed.set()

    async def _write(self, socket: ClientConnection) -> None:
        """Send until the line is stopped, the gateway drains or answers nothing any more."""
        while not self._stopping.is_set():
            self._changed.clear()
            if self._draining:
                return await self._await_last_answers()
            await self._send_all(socket)
            if not await self._await_change():
                problem = Problem(UNREACHABLE, "no answer to a frame", retryable=True)
                self._listener.troubled(problem)
                return None
        return None

    async def _send_all(self, socket: ClientConnection) -> None:
        while self._live:
            await socket.send(self._live.popleft())
        while (taken := self.outbox.take(clock.monotonic())) is not None:
            frame, is_again = taken
            self._listener.sent(frame, is_again)
            await socket.send(frame.text(clock.now()))

    async def _await_change(self) -> bool:
        """Wait for something to do; False when the gateway owes an answer for too long."""
        now_s = clock.monotonic()
        held_until_s = self.outbox.held_until_s(now_s)
        oldest_s = self.outbox.oldest_sent_s()
        overdue_s = None if oldest_s is None else oldest_s + ACK_TIMEOUT_S
        deadlines = [one for one in (held_until_s, overdue_s) if one is not None]
        try:
            async with asyncio.timeout(min(deadlines) - now_s if deadlines else None):
                await self._changed.wait()
        except TimeoutError:
            return overdue_s is None or clock.monotonic() < overdue_s
        return True

    async def _await_last_answers(self) -> None:
        deadline_s = asyncio.get_running_loop().time() + DRAIN_TIMEOUT_S
        try:
            async with asyncio.timeout_at(deadline_s):
                while self.outbox.oldest_sent_s() is not None and not self._stopping.is_set():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return


def _retry_after_s(problem: Problem, default_s: float) -> float:
    after_ms = problem.retry_after_ms
    return default_s if after_ms is None else after_ms / 1000


def _status_problem(error: InvalidStatus) -> Problem:
    status = error.response.status_code
    is_retryable = status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS
    return Problem(f"http_{status}", "the gateway took no WebSocket", is_retryable)
