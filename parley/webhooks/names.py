"""Looks names up, so that one whose name server hangs holds up no other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from socket import SOCK_STREAM, getaddrinfo
from typing import Any, Final

# As many as there are requests at a time, as a rule; threads are made when they are needed.
MOST_NAMES: Final = 200

LookUp = Callable[[str], list[Any]]


def _ask(host: str) -> list[Any]:
    return getaddrinfo(host, None, type=SOCK_STREAM)


class Names:
    """Asks for each name in one thread at a time: who wants it meanwhile gets the same answer.

    A request that gives up cannot end its thread, and the next one would hang in another.
    """

    def __init__(self, most: int = MOST_NAMES, look_up: LookUp = _ask) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="webhook-names")
        self._look_up = look_up
        self._asked: dict[str, Future[list[Any]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """All that the name stands for; raises OSError where there are none."""
        asked = self._asked.get(host)
        if asked is None:
            asked = self._threads.submit(self._look_up, host)
            self._asked[host] = asked
            asked.add_done_callback(lambda _: self._asked.pop(host, None))
        # Who gives up takes nothing from those who wait on.
        found = await asyncio.shield(asyncio.wrap_future(asked))
        return [str(one[4][0]) for one in found]
