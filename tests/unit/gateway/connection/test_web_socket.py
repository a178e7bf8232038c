"""The WebSocket below ASGI, against a real client's reading of the protocol."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from services.gateway.connection.web_socket import LINE, WRITE_BUFFER_BYTES, DirectWebSocket, Line
from tests.support.wait import eventually


class App:
    """Accepts, takes over, and leaves what to do with frames to the test."""

    def __init__(self) -> None:
        self.line: Line
        self.taken: list[str | bytes] = []
        self.take: Callable[[str | bytes], None] = self.taken.append
        self.on_writable: Callable[[], None] = lambda: None
        self.may_take_over = asyncio.Event()
        self.end: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        self.line = scope["state"][LINE]
        await self.may_take_over.wait()
        self.line.hand_over(self.take, self.on_writable)
        self.end = dict(await receive())


@asynccontextmanager
async def talking(app: App, **options: Any) -> AsyncIterator[ClientConnection]:
    config = uvicorn.Config(
        app,
        port=0,
        ws=DirectWebSocket,
        lifespan="off",
        log_config=None,
        ws_per_message_deflate=False,
        ws_max_size=200_000,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    try:
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/", max_size=None, **options) as client:
            await until(lambda: hasattr(app, "line"))
            yield client
    finally:
        server.should_exit = True
        await serving


async def until(condition: Callable[[], object]) -> None:
    async def is_true() -> bool:
        return bool(condition())

    await eventually(is_true, timeout=5, every=0.002)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 150_000])
async def test_texts_of_every_size_come_and_go(size: int) -> None:
    app = App()
    app.may_take_over.set()
    app.take = lambda text: app.line.write(text.encode() if isinstance(text, str) else text)
    async with talking(app) as client:
        await client.send("x" * size)
        assert await client.recv() == "x" * size


async def test_what_came_before_the_hand_over_is_taken_first_and_in_order() -> None:
    app = App()
    async with talking(app) as client:
        for number in range(100):
            await client.send(str(number))
        line: Any = app.line
        await until(lambda: not line.queue.empty())
        app.may_take_over.set()
        await client.send(b"\0")
        await client.send(["1", "00"])
        await until(lambda: len(app.taken) == 102)
    assert app.taken == [*map(str, range(100)), b"\0", "100"]


async def test_a_client_that_goes_is_told_by_asgi_as_ever() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.close(1001)
        await until(lambda: app.end)
    assert app.end is not None
    assert (app.end["type"], app.end["code"]) == ("websocket.disconnect", 1001)
    # Nobody is there to read it, and nothing fails.
    app.line.write(b"late")


async def test_a_socket_on_hold_is_not_read_until_it_goes_on() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.send("0")
        await until(lambda: app.taken)
        app.line.hold()
        await client.send("1")
        await asyncio.sleep(0.05)
        assert app.taken == ["0"]
        app.line.go_on()
        await until(lambda: app.taken == ["0", "1"])


async def test_text_that_is_no_utf_8_closes_with_1007() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1007
        await until(lambda: app.end)
    assert app.taken == []


async def test_what_is_written_to_many_in_one_turn_reaches_all_whose_connection_stands() -> None:
    apps = [App() for _ in range(4)]
    async with AsyncExitStack() as stack:
        clients = []
        for app in apps:
            app.may_take_over.set()
            clients.append(await stack.enter_async_context(talking(app)))
            await clients[-1].send("0")
        await until(lambda: all(app.taken for app in apps))
        for number in range(2):
            for app in apps:
                app.line.write(str(number).encode())
        broken: Any = apps[1].line
        broken.transport.abort()
        # The next ping would send it as well.
        async with asyncio.timeout(5):
            for client in (clients[0], *clients[2:]):
                assert [await client.recv(), await client.recv()] == ["0", "1"]
            with pytest.raises(ConnectionClosed):
                await clients[1].recv()


async def test_one_who_does_not_read_makes_it_unwritable_and_is_told_of_when_it_reads() -> None:
    app = App()
    app.may_take_over.set()
    told: list[bool] = []
    app.on_writable = lambda: told.append(app.line.is_writable)
    async with talking(app, max_queue=1) as client:
        await client.send("0")
        await until(lambda: app.taken)
        count = 0
        while app.line.is_writable:
            app.line.write(b"x" * WRITE_BUFFER_BYTES)
            count += 1
            await asyncio.sleep(0)
        assert told == []
        for _ in range(count):
            await client.recv()
        await until(lambda: told)
        assert told == [True]


async def test_one_who_does_not_read_can_be_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.connection.web_socket.LAST_CHANCE_S", 0.05)
    app = App()
    app.may_take_over.set()
    async with talking(app, max_queue=1) as client:
        await client.send("0")
        await until(lambda: app.taken)
        while app.line.is_writable:
            app.line.write(b"x" * WRITE_BUFFER_BYTES)
            await asyncio.sleep(0)
        app.line.evict(1013)
        await until(lambda: app.end)
        with pytest.raises(ConnectionClosed):
            while True:
                await client.recv()
    assert app.end is not None
    assert app.end["code"] == 1013


@pytest.mark.parametrize("end", ["close", "fault", "eof", "asgi"])
async def test_one_who_does_not_read_is_cut_off_however_it_ends(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.connection.web_socket.LAST_CHANCE_S", 0.05)
    app = App()
    app.may_take_over.set()
    async with talking(app, max_queue=1, close_timeout=0.1) as client:
        line = await unread(app, client)
        line.close_timeout = 0.05
        if end == "close":
            client.transport.write(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
        elif end == "fault":
            client.transport.write(Frame(Opcode.CONT, b"of nothing").serialize(mask=True))
        elif end == "eof":
            client.transport.write_eof()
        else:
            line.writable.set()
            await line.send({"type": "websocket.close", "code": 1000})
        await until(lambda: line.disconnected)
        await until(lambda: app.end)


async def test_a_server_that_stops_closes_all_although_one_has_closed_and_reads_nothing() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app, max_queue=1, close_timeout=0.1) as client:
        line = await unread(app, client)
        client.transport.write(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
        await until(lambda: app.end)
        assert not line.disconnected
        line.shutdown()


async def test_pings_of_one_who_does_not_read_are_not_kept_and_the_last_is_answered() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app, max_queue=1, close_timeout=0.1) as client:
        line = await unread(app, client)
        kept = line.transport.get_write_buffer_size()
        for _ in range(200):
            line.data_received(Frame(Opcode.PING, b"?" * 100).serialize(mask=True) * 100)
        answered: Any = await client.ping(b"last")
        await asyncio.sleep(0.05)
        assert line.transport.get_write_buffer_size() == kept
        while not answered.done():
            await client.recv()


async def unread(app: App, client: ClientConnection) -> Any:
    """The line of a client that does not read, with no more room in its buffer."""
    await client.send("0")
    await until(lambda: app.taken)
    while app.line.is_writable:
        app.line.write(b"x" * WRITE_BUFFER_BYTES)
        await asyncio.sleep(0)
    return app.line


async def test_what_is_written_in_one_turn_goes_out_in_one_piece_and_in_order() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.send("0")
        await until(lambda: app.taken)
        line: Any = app.line
        pieces: list[bytes] = []
        line.transport = Noting(line.transport, pieces)
        for number in range(10):
            app.line.write(str(number).encode())
        assert pieces == []
        assert [await client.recv() for _ in range(10)] == list(map(str, range(10)))
        assert len(pieces) == 1


async def test_a_burst_in_one_turn_is_written_out_before_it_outgrows_the_buffer() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.send("0")
        await until(lambda: app.taken)
        line: Any = app.line
        pieces: list[bytes] = []
        line.transport = Noting(line.transport, pieces)
        for _ in range(100):
            app.line.write(b"x" * 1_000)
        assert 3 <= len(pieces) <= 4
        assert max(map(len, pieces)) <= WRITE_BUFFER_BYTES + 1_004
        for _ in range(100):
            await client.recv()


@pytest.mark.parametrize("end", ["evict", "asgi", "shutdown", "client"])
async def test_what_was_written_before_a_close_comes_before_it(end: str) -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.send("0")
        await until(lambda: app.taken)
        line: Any = app.line
        app.line.write(b"last")
        if end == "evict":
            line.evict(1013)
        elif end == "asgi":
            await line.send({"type": "websocket.close", "code": 1000})
        elif end == "shutdown":
            line.shutdown()
        else:
            line.data_received(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
        assert await client.recv() == "last"
        with pytest.raises(ConnectionClosed):
            await client.recv()


class Noting:
    """A transport that notes what is written to it."""

    def __init__(self, inner: Any, pieces: list[bytes]) -> None:
        self._inner = inner
        self._pieces = pieces

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("seed", range(20))
async def test_texts_whole_cut_and_in_fragments_come_in_their_order(seed: int) -> None:
    app = App()
    app.may_take_over.set()
    chance = random.Random(seed)
    async with talking(app) as client:
        wanted, data = _frames(chance)
        transport = client.transport
        while data:
            # Mostly whole frames alone, else whatever a network makes of them.
            size = len(data[0]) if chance.random() < 0.6 else chance.randrange(1, 900)
            transport.write(b"".join(data)[:size])
            data = [rest] if (rest := b"".join(data)[size:]) and size != len(data[0]) else data[1:]
            await asyncio.sleep(chance.choice((0, 0, 0.001)))
        await until(lambda: len(app.taken) >= len(wanted))
        assert app.taken == wanted


def _frames(chance: random.Random) -> tuple[list[str | bytes], list[bytes]]:
    wanted: list[str | bytes] = []
    data: list[bytes] = []
    for number in range(60):
        text = f"{number} " + "ü" * chance.randrange(200)
        kind = chance.choice(("text", "text", "text", "fragments", "bytes", "ping"))
        whole = text.encode()
        if kind == "ping":
            data.append(Frame(Opcode.PING, b"?").serialize(mask=True))
            continue
        if kind == "fragments":
            middle = len(whole) // 2
            data.append(Frame(Opcode.TEXT, whole[:middle], fin=False).serialize(mask=True))
            data.append(Frame(Opcode.PING, b"!").serialize(mask=True))
            data.append(Frame(Opcode.CONT, whole[middle:]).serialize(mask=True))
        else:
            opcode = Opcode.TEXT if kind == "text" else Opcode.BINARY
            data.append(Frame(opcode, whole).serialize(mask=True))
        wanted.append(whole if kind == "bytes" else text)
    return wanted, data


async def test_a_text_that_is_no_utf_8_closes_the_connection_with_1007() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.send("first")
        await until(lambda: app.taken == ["first"])
        client.transport.write(Frame(Opcode.TEXT, b"\xff").serialize(mask=True))
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1007


async def test_a_text_that_is_no_utf_8_with_a_close_right_behind_it_is_nobodys_error() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        await client.send("first")
        await until(lambda: app.taken == ["first"])
        line: Any = app.line
        bad = Frame(Opcode.TEXT, b"\xff").serialize(mask=True)
        line.data_received(bad + Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
        await until(lambda: app.end)
        assert app.taken == ["first"]


async def test_a_text_within_a_message_in_fragments_is_refused_as_the_protocol_asks() -> None:
    app = App()
    app.may_take_over.set()
    async with talking(app) as client:
        client.transport.write(Frame(Opcode.TEXT, b"be", fin=False).serialize(mask=True))
        await asyncio.sleep(0.01)
        client.transport.write(Frame(Opcode.TEXT, b"gin").serialize(mask=True))
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1002
        assert app.taken == []
