"""A network between two programs that a test can slow down, freeze, and break."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from socket import SO_LINGER, SOL_SOCKET
from typing import Final, Self

_CHUNK: Final = 64 * 1024
_AT_ONCE: Final = struct.pack("ii", 1, 0)


class TcpProxy:
    """Passes bytes on to one address, both ways; each fault holds until `heal`.

    `latency_s` delays every chunk, in each direction. A stall takes bytes and passes none on,
    like a network that swallows packets. A cut closes what is open and refuses what is new.
    Brokers tell clients where to connect: where `is_broker`, they tell them this proxy's port.
    """

    def __init__(self, host: str, port: int, is_broker: bool = False) -> None:
        self._host = host
        self._port = port
        self._is_broker = is_broker
        # A request that contains this is passed on, and its reply is not: the connection breaks.
        self._unanswered: bytes | None = None
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._ends = asyncio.Event()
        self._ends.set()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.latency_s = 0.0
        self.port = 0
        self.connections = 0
        self.passed_bytes = 0

    async def start(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Close everything."""
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def stall(self) -> None:
        """From now on nothing arrives, in either direction."""
        self._flows.clear()

    def reset(self) -> None:
        """Close what is open at once, whatever is on its way."""
        for writer in tuple(self._writers):
            if writer.is_closing():
                continue
            # Without lingering the kernel sends a reset, not an end.
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _AT_ONCE)
            writer.transport.abort()

    def cut(self) -> None:
        """Close what is open, and whatever comes in."""
        self._is_cut = True
        self.reset()

    def cut_reply_to(self, request: bytes) -> None:
        """Break the next connection that sends this, once the answer is on its way back."""
        self._unanswered = request

    @property
    def is_reply_cut(self) -> bool:
        """Whether the reply that was to be cut has been."""
        return self._unanswered is None

    def hold_ends(self) -> None:
        """From now on nobody hears that the other side has closed a connection."""
        self._ends.clear()

    def heal(self) -> None:
        """All faults are over; what was stalled arrives."""
        self._ends.set()
        self._is_cut = False
        self.latency_s = 0.0
        self._flows.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            link = _Link()
            await asyncio.gather(
                self._pump(reader, far_writer, partial(self._watch, link)),
                self._pump(far_reader, writer, partial(self._answer, link)),
            )
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        change: Callable[[bytes], bytes | None],
    ) -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                await self._flows.wait()
                changed = change(chunk)
                if changed is None:
                    writer.transport.abort()
                    return
                writer.write(changed)
                await writer.drain()
                self.passed_bytes += len(chunk)
            await self._ends.wait()
            writer.write_eof()
        except OSError:
            # One end is gone: so is the other.
            writer.transport.abort()

    def _watch(self, link: "_Link", chunk: bytes) -> bytes:
        if self._unanswered is not None and self._unanswered in chunk:
            self._unanswered = None
            link.is_to_break = True
        return chunk

    def _answer(self, link: "_Link", chunk: bytes) -> bytes | None:
        if link.is_to_break:
            return None
        if not self._is_broker:
            return chunk
        # Host and port are of the same length in both, so that nothing else moves.
        host = self._host.encode()
        return chunk.replace(
            host + self._port.to_bytes(4, "big"), host + self.port.to_bytes(4, "big")
        )


@dataclass(slots=True)
class _Link:
    """A connection, and whether it breaks before the next answer."""

    is_to_break: bool = False


@asynccontextmanager
async def proxied(host: str, port: int, is_broker: bool = False) -> AsyncIterator[TcpProxy]:
    """A proxy in front of an address."""
    proxy = await TcpProxy(host, port, is_broker).start()
    try:
        yield proxy
    finally:
        await proxy.stop()
