"""A name whose server hangs holds up one thread, and no other name."""

import asyncio
import threading
from collections.abc import AsyncIterator
from socket import AF_INET, SOCK_STREAM, gaierror
from typing import Any

import pytest

from parley.webhooks.names import Names


class Server:
    """A name server that hangs for one name, and knows the others."""

    def __init__(self) -> None:
        self.is_back = threading.Event()
        self.asked: list[str] = []

    def look_up(self, host: str) -> list[Any]:
        self.asked.append(host)
        if host == "nowhere":
            raise gaierror
        if host == "hangs":
            self.is_back.wait(30)
        return [(AF_INET, SOCK_STREAM, 6, "", ("192.0.2.1", 0))]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    made.is_back.set()


async def gives_up(names: Names, host: str) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await names.addresses(host)
    except TimeoutError:
        return True
    return False


async def test_requests_that_give_up_on_a_name_leave_the_threads_to_other_names(
    server: Server,
) -> None:
    names = Names(2, server.look_up)
    for _ in range(4):
        assert await gives_up(names, "hangs")
    async with asyncio.timeout(5):
        assert await names.addresses("quick") == ["192.0.2.1"]
    assert server.asked == ["hangs", "quick"]


async def test_who_waits_on_gets_the_answer_that_others_gave_up_on(server: Server) -> None:
    names = Names(2, server.look_up)
    waits = asyncio.create_task(names.addresses("hangs"))
    assert await gives_up(names, "hangs")
    server.is_back.set()
    assert await waits == ["192.0.2.1"]
    assert server.asked == ["hangs"]


async def test_a_name_is_asked_for_again_once_it_was_answered(server: Server) -> None:
    names = Names(2, server.look_up)
    for _ in range(2):
        await names.addresses("quick")
        with pytest.raises(gaierror):
            await names.addresses("nowhere")
    assert server.asked == ["quick", "nowhere"] * 2
