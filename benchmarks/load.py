"""Talks to a WebSocket server over many connections, from a process of its own.

Run as `python -m benchmarks.load PLAN`, a Plan as JSON. It prints `measuring` when the warm-up is
over and `measured` when the time is up, so that others can read their clocks, then its findings.
Written on picows, whose frames are read and masked in C: it must never be the slower side.
"""

import asyncio
import sys
from array import array
from collections import deque
from dataclasses import asdict, dataclass
from typing import Final

import orjson
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from parley import clock

TEXT: Final = "It was the best of times, it was the worst of times. ".ljust(400, ".")
CONNECTING_AT_ONCE: Final = 50
PATIENCE_S: Final = 30.0
TICK_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to whom."""

    url: str
    """ws://…, to which each connection adds a conversation of its own."""
    connections: int
    per_second: float = 0.0
    """Frames over all connections at fixed times; 0 is as fast as one in flight each allows."""
    is_echo: bool = False
    """The server answers a frame with itself, and expects no hello."""
    warm_up_s: float = 2.0
    measure_s: float = 5.0
    deliver: str = "none"
    idle_s: float = 0.0
    """Only connect, and stay for so long after the warm-up."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What came back within the measured time; latencies in milliseconds."""

    per_second: float
    answers: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    worst_ms: float
    late_p99_ms: float
    """How far the generator itself was behind its own plan, which the latencies contain."""


class Failed(Exception):
    """The server answered with something else than was asked for."""


class Load:
    """What all connections share: who waits, and what was measured."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.is_measuring = False
        self.is_over = False
        self.latencies_s = array("d")
        self.lateness_s = array("d")
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, why: str) -> None:
        """End it all; the first reason counts."""
        if not self.failure.done():
            self.failure.set_exception(Failed(why))


class Talker(WSListener):
    """One connection: it greets, then sends when it is told or when its last frame is answered."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._number = number
        self._sent_count = 0
        # Of frames without an answer, by the moment at which each was due.
        self._due_s: dict[bytes, float] = {}
        self._transport: WSTransport | None = None
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._before, self._after = _frame_parts()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Say hello where one is expected."""
        self._transport = transport
        if self._load.plan.is_echo:
            self.greeted.set_result(None)
            return
        transport.send(WSMsgType.TEXT, _hello(self._load.plan, self._number))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take an answer; anything that is none ends the run."""
        payload = frame.get_payload_as_bytes()
        if self.greeted.done() and _is_answer(payload):
            self._take_answer(payload)
        elif not self.greeted.done() and b'"connected"' in payload:
            self.greeted.set_result(None)
        elif b'"connection_status"' not in payload:
            self._load.fail(f"unexpected frame ({frame.msg_type}): {payload[:200]!r}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """A server that leaves early has failed."""
        if not self._load.is_over:
            self._load.fail("a connection was lost")

    def send(self, due_s: float) -> None:
        """Send the next frame, which was due at that moment."""
        if self._transport is None:
            return
        self._sent_count += 1
        frame_id = b"%d" % self._sent_count
        self._due_s[frame_id] = due_s
        self._transport.send(WSMsgType.TEXT, self._before + frame_id + self._after)

    def leave(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.disconnect()

    def _take_answer(self, payload: bytes) -> None:
        now_s = clock.monotonic()
        frame_id = _id_of(payload)
        due_s = self._due_s.pop(frame_id, None)
        if due_s is None:
            self._load.fail(f"answered twice or never asked: {payload[:200]!r}")
            return
        if self._load.is_measuring:
            self._load.latencies_s.append(now_s - due_s)
        if not self._load.plan.per_second and not self._load.is_over:
            self.send(now_s)


def _frame_parts() -> tuple[bytes, bytes]:
    payload = orjson.dumps({"text": TEXT, "is_final": True})
    return b'{"type":"transcript_update","id":"', b'","payload":' + payload + b"}"


def _hello(plan: Plan, number: int) -> bytes:
    payload = {"client_id": f"load-{number}", "deliver": plan.deliver, "channel": "bench"}
    return orjson.dumps({"type": "hello", "payload": payload})


def _is_answer(payload: bytes) -> bool:
    return payload.startswith((b'{"type":"ack"', b'{"type":"transcript_update"'))


def _id_of(payload: bytes) -> bytes:
    # By hand, since parsing every answer would cost more than all the rest of this process.
    start = payload.index(b'"id":"') + 6
    return payload[start : payload.index(b'"', start)]


async def _connect_all(load: Load) -> list[Talker]:
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def connect(number: int) -> Talker:
        async with gate:
            talker = Talker(load, number)
            url = f"{load.plan.url}-{number}"
            await ws_connect(lambda: talker, url, websocket_handshake_timeout=PATIENCE_S)
            await asyncio.wait({talker.greeted, load.failure}, return_when="FIRST_COMPLETED")
            return talker

    talkers = await asyncio.gather(*map(connect, range(load.plan.connections)))
    if load.failure.done():
        load.failure.result()
    return talkers


async def _send_on_time(load: Load, talkers: list[Talker]) -> None:
    """Frames at fixed times, whatever is still unanswered: a slow server is not spared."""
    line = deque(talkers)
    started_s = clock.monotonic()
    count = 0
    while not load.is_over:
        now_s = clock.monotonic()
        while (due_s := started_s + count / load.plan.per_second) <= now_s:
            line[0].send(due_s)
            line.rotate(-1)
            count += 1
            if load.is_measuring:
                load.lateness_s.append(clock.monotonic() - due_s)
        await asyncio.sleep(TICK_S)


async def _run(plan: Plan) -> Findings:
    load = Load(plan)
    talkers = await _connect_all(load)
    sending: asyncio.Task[None] | None = None
    if plan.per_second:
        sending = asyncio.create_task(_send_on_time(load, talkers))
    elif not plan.idle_s:
        for talker in talkers:
            talker.send(clock.monotonic())
    await _pause(load, plan.warm_up_s)
    findings = await _measure(load)
    load.is_over = True
    if sending is not None:
        await sending
    for talker in talkers:
        talker.leave()
    return findings


async def _measure(load: Load) -> Findings:
    started_s = clock.monotonic()
    load.is_measuring = True
    _tell("measuring")
    await _pause(load, load.plan.idle_s or load.plan.measure_s)
    load.is_measuring = False
    _tell("measured")
    return _findings(load, clock.monotonic() - started_s)


async def _pause(load: Load, seconds: float) -> None:
    await asyncio.wait({load.failure}, timeout=seconds)
    if load.failure.done():
        load.failure.result()


def _findings(load: Load, seconds: float) -> Findings:
    latencies_ms = sorted(1000 * one for one in load.latencies_s)
    late_ms = sorted(1000 * one for one in load.lateness_s)
    count = len(latencies_ms)
    return Findings(
        per_second=count / seconds,
        answers=count,
        seconds=seconds,
        p50_ms=_quantile(latencies_ms, 0.5),
        p90_ms=_quantile(latencies_ms, 0.9),
        p99_ms=_quantile(latencies_ms, 0.99),
        worst_ms=_quantile(latencies_ms, 1.0),
        late_p99_ms=_quantile(late_ms, 0.99),
    )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do what the plan says."""
    plan = Plan(**orjson.loads(sys.argv[1]))
    _tell(orjson.dumps(asdict(uvloop.run(_run(plan)))).decode())


if __name__ == "__main__":
    main()
