"""The connections that a test's own server has taken, which end with the test."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Connections:
    """Serves each connection in a task; none of them, and no socket, outlives `end`."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._tasks: dict[asyncio.Future[Any], asyncio.StreamWriter] = {}

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What `asyncio.start_server` calls."""
        for done in [task for task, one in self._tasks.items() if task.done() and _is_closed(one)]:
            del self._tasks[done]
        self._tasks[asyncio.ensure_future(self._serve(reader, writer))] = writer

    async def end(self) -> None:
        """Cancel what is served, and give the sockets back at once, also of what never began."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._tasks.values():
            writer.transport.abort()
        # A transport closes its socket in the loop's next turn.
        await asyncio.sleep(0)


def _is_closed(writer: asyncio.StreamWriter) -> bool:
    """Whether its socket was given back."""
    told = writer.get_extra_info("socket")
    return told is None or told.fileno() == -1
