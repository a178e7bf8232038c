"""kill -9 under load: what was acknowledged is in the log."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import Client, connected, logged
from tests.support.processes import ServiceProcess
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = [pytest.mark.integration, pytest.mark.faults]

KILLS = 4
CLIENTS = 5
IN_FLIGHT = 20


@dataclass
class Ledger:
    """What one client has sent and what was acknowledged to it."""

    name: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    next_number: int = 0
    session: dict[str, Any] = field(default_factory=dict)

    def unacknowledged(self) -> list[int]:
        numbers = range(self.next_number)
        return [number for number in numbers if str(number) not in self.acknowledged]


async def talk(gateway: ServiceProcess, ledger: Ledger, stop: asyncio.Event) -> None:
    """Keep talking, over as many connections as it takes, until everything is acknowledged."""
    while not (stop.is_set() and not ledger.unacknowledged()):
        try:
            async with connected(gateway, ledger.name) as client:
                await _talk_once(client, ledger, stop)
        except (OSError, ConnectionClosed, EOFError):
            await asyncio.sleep(0.02)


async def _talk_once(client: Client, ledger: Ledger, stop: asyncio.Event) -> None:
    status = await client.hello(client_id=ledger.name, **ledger.session)
    ledger.session = {name: status[name] for name in ("session_id", "generation")}
    for number in ledger.unacknowledged():
        await client.say(str(number), f"message {number}")
    while True:
        while not stop.is_set() and len(ledger.unacknowledged()) < IN_FLIGHT:
            await client.say(str(ledger.next_number), f"message {ledger.next_number}")
            ledger.next_number += 1
        if not ledger.unacknowledged():
            return
        frame = await client.receive()
        assert frame["type"] == "ack", frame
        ledger.acknowledged[frame["payload"]["id"]] = frame["payload"]["event_id"]


async def test_every_acknowledged_message_survives_kills_of_the_gateway(settings: Settings) -> None:
    ledgers = [Ledger(f"c{number}") for number in range(CLIENTS)]
    stop = asyncio.Event()
    with ServiceProcess("gateway", settings) as gateway:
        talking = [asyncio.create_task(talk(gateway, one, stop)) for one in ledgers]
        for _ in range(KILLS):
            before = sum(len(one.acknowledged) for one in ledgers)

            async def goes_on(before: int = before) -> bool:
                return sum(len(one.acknowledged) for one in ledgers) > before + 200

            await eventually(goes_on)
            gateway.kill()
            await asyncio.to_thread(gateway.start)
        stop.set()
        await asyncio.gather(*talking)
    assert len(await read_records(settings, Topic.EVENTS)) > KILLS * 200
    for ledger in ledgers:
        events = [event for _, event in await logged(settings, ledger.name)]
        ids = {event.client_message_id: event.event_id for event in events}
        lost = [name for name in ledger.acknowledged if ids.get(name) != ledger.acknowledged[name]]
        assert lost == []
        # A message that came twice is twice the same event, which the persister knows.
        texts = {(event.event_id, str(event.body)) for event in events if event.client_message_id}
        assert len(texts) == ledger.next_number
