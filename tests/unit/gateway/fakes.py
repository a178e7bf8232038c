"""A producer without Kafka: acknowledges when it is told to."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from parley.codec import LogRecord, Outgoing, decode_event
from parley.codec.record import EPOCH
from parley.events import Event
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher


@dataclass(frozen=True)
class Metadata:
    """What Kafka says of a record."""

    partition: int
    offset: int


class FakeProducer:
    """Keeps what it accepts; `takes_records` off is a full buffer, `acknowledges` off no Kafka."""

    def __init__(self) -> None:
        self.accepted: list[Outgoing] = []
        self.acknowledges = True
        self.takes_records = asyncio.Event()
        self.takes_records.set()
        self.pending: list[asyncio.Future[Metadata]] = []

    async def accept(self, outgoing: Outgoing) -> Awaitable[Any]:
        if not self.takes_records.is_set():
            await self.takes_records.wait()
            # Like aiokafka's: who waited for room wakes up some turns after there is some.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.accepted.append(outgoing)
        acknowledged: asyncio.Future[Metadata] = asyncio.get_running_loop().create_future()
        if self.acknowledges:
            acknowledged.set_result(Metadata(0, len(self.accepted) - 1))
        else:
            self.pending.append(acknowledged)
        return acknowledged

    def events(self) -> list[Event]:
        """What was accepted, as every consumer will read it."""
        return [decode_event(_record(one)) for one in self.accepted]


def _record(outgoing: Outgoing) -> LogRecord:
    # Appended long ago by the broker's clock would move the event time: take the record's own.
    value = outgoing.value
    probe = LogRecord("t", 0, 0, EPOCH + timedelta(days=36_500), outgoing.key, value)
    received_at = decode_event(probe).received_at
    return LogRecord("t", 0, 0, received_at, outgoing.key, value)


def publisher(producer: FakeProducer, settings: GatewaySettings) -> Publisher:
    """A publisher onto the fake."""
    return Publisher(producer, settings, incarnation="incarnation", gateway_id="gateway")
