"""Puts messages into the log at a steady pace and writes down what Kafka acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from parley import clock
from parley.codec import Outgoing, event_key
from parley.codec.events import EVENT_HEADERS
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.publish import TENANT, message, outgoing

EVERY_S: Final = 0.05
CONVERSATIONS: Final = 200
# Of all records: copies of an earlier one, as a client sends that got no answer.
COPIES: Final = 0.02
TEXT: Final = "x" * 200


@dataclass(frozen=True, slots=True)
class Pace:
    """How many records a second, and which share of them nobody can read.

    It stops for as long as the persister is `most_ahead` records behind: on a slow machine a row
    takes longer, and shows the same.
    """

    per_second: int = 500
    bad_share: float = 0.0
    most_ahead: int = 5_000


class Load:
    """A client of the log. Its ledger: event ids that were acknowledged, one a line in a file."""

    def __init__(self, settings: Settings, pace: Pace, seed: int) -> None:
        self.ledger: Path = settings.state_dir / "acknowledged.txt"
        self.record_count = 0
        self.bad_count = 0
        # What the persister had read when somebody last looked.
        self.read_count = 0
        # By partition: the offset after the last record that was acknowledged.
        self.ends: dict[int, int] = {}
        self._settings = settings
        self._pace = pace
        self._chance = Random(seed)
        self._number = 0
        self._talks = True

    def acknowledged(self) -> set[str]:
        """The ids that Kafka has acknowledged, read from the ledger."""
        return set(self.ledger.read_text().split())

    def stop(self) -> None:
        """Let the round under way be the last one."""
        self._talks = False

    async def run(self) -> None:
        """Send until told to stop."""
        producer = Producer(self._settings)
        await producer.start()
        due_at = clock.monotonic()
        try:
            while self._talks:
                if self.record_count - self.read_count < self._pace.most_ahead:
                    await self._send(producer, round(self._pace.per_second * EVERY_S))
                # What could not be sent in time is not made up for.
                due_at = max(due_at + EVERY_S, clock.monotonic() - EVERY_S)
                await asyncio.sleep(max(0.0, due_at - clock.monotonic()))
        finally:
            await producer.stop()

    async def _send(self, producer: Producer, count: int) -> None:
        made = [self._make() for _ in range(count)]
        placed = await producer.send_all([record for _, record in made])
        self._note([event_id for event_id, _ in made], placed)

    def _note(self, event_ids: Sequence[str], placed: Sequence[Any]) -> None:
        good = [event_id for event_id in event_ids if event_id]
        with self.ledger.open("a") as file:
            file.writelines(f"{event_id}\n" for event_id in good)
        self.record_count += len(event_ids)
        self.bad_count += len(event_ids) - len(good)
        for one in placed:
            self.ends[one.partition] = max(self.ends.get(one.partition, 0), one.offset + 1)

    def _make(self) -> tuple[str, Outgoing]:
        """A record and its event's id; a bad one has none."""
        chance = self._chance.random()
        if chance < self._pace.bad_share:
            return "", self._bad_record()
        number = self._number
        if number and chance > 1 - COPIES:
            number = self._chance.randrange(number)
        else:
            self._number += 1
        name = f"c{number % CONVERSATIONS}"
        one = message(name, number, TEXT, session_id=f"s-{name}")
        return one.event_id, outgoing(self._settings, one)

    def _bad_record(self) -> Outgoing:
        key = event_key(TENANT, f"c{self._chance.randrange(CONVERSATIONS)}")
        return Outgoing(self._settings.topic(Topic.EVENTS), key, b"\xff\xff", EVENT_HEADERS)


@asynccontextmanager
async def load(settings: Settings, pace: Pace, seed: int) -> AsyncIterator[Load]:
    """Send while the body runs, and until the load is told to stop."""
    made = Load(settings, pace, seed)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop()
        await running
