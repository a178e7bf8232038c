"""Workers under the real fence in a simulated world that a seed breaks: what must hold at its end.

The consumer, the claims, the fence and the outbox's relay are the product's own. The log, the
store and the clock are in memory; the seed decides about delays, pauses, crashes, lost replies,
stale members, rewinds and outages.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from random import Random
from typing import Any, Final
from zlib import crc32

from parley import clock
from parley.codec import Outgoing
from parley.db.fence import Fence
from parley.db.outbox import enqueue
from parley.log.consumer import Batch, Batching, FencedConsumer, Part
from parley.log.consumer import group as membership
from parley.settings import Settings
from tests.simulation.kafka import Consumer, Group, Log, Producer
from tests.simulation.life import Life
from tests.simulation.loop import run_simulated
from tests.simulation.store import Connection, Pool, Store

TOPIC: Final = "events"
PARTITIONS: Final = 3
WORKERS: Final = 3
FAULTS: Final = 12
UNPREPARED: Final = 0.02
# Batches whose handler makes a part of them, of no records perhaps.
DIVIDED: Final = 0.3
# Of simulated time: longer than any retry.
PATIENCE_S: Final = 400.0

# A checksum, and the last record that is begun.
State = tuple[int, int]
NOTHING: Final[State] = (0, -1)


class Contradiction(Exception):
    """Memory is not what the tables say: only a former owner's may be so."""


class Fold:
    """Keeps a state in memory that every record changes, and counts what it wrote.

    A record that is read twice, left out or out of order gives another state; so does memory
    that ran ahead of the tables. A record may be begun in one transaction and end in the next.
    """

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life
        self._memory: dict[int, list[State]] = {}

    async def claimed(self, claim: Fence) -> None:
        await self._life.passes()
        partition = claim.key.partition
        self._memory[partition] = [self._store.states.get(partition, NOTHING)]

    async def prepare(self, batch: Batch) -> tuple[Batch, State] | Part:
        # Whatever happens while this waits, it goes on with what it began with.
        states = self._memory[batch.fence.key.partition]
        await self._life.passes()
        if self._store.states.get(batch.fence.key.partition, NOTHING) != states[0]:
            raise Contradiction
        count = len(batch.records)
        if self._life.chance.random() < DIVIDED:
            count = self._life.chance.randrange(count)
        for record in batch.records[:count]:
            states.append(folded(states.pop(), record.offset))
        if self._life.chance.random() < UNPREPARED:
            raise ConnectionResetError("what the batch needs could not be read")
        if count == len(batch.records):
            return batch, states[0]
        states.append(begun(states.pop(), batch.records[count].offset))
        return Part((Batch(batch.fence, batch.records[:count]), states[0]), count)

    async def apply(self, connection: Connection, work: tuple[Batch, State]) -> None:
        batch, state = work
        partition = batch.fence.key.partition
        offsets = [record.offset for record in batch.records]

        def write() -> None:
            self._store.applied.setdefault(partition, []).extend(offsets)
            self._store.states[partition] = state

        await connection.change(write)
        echoes = [Outgoing("echoes", None, f"{partition}:{one}".encode(), ()) for one in offsets]
        await enqueue(connection, batch.fence.key, echoes)

    async def committed(self, work: tuple[Batch, State]) -> None:
        """Nothing more to do."""

    def released(self, partition: int) -> None:
        self._memory.pop(partition, None)


def begun(state: State, offset: int) -> State:
    """The state once a record is begun, which it is only once."""
    checksum, last = state
    return state if last == offset else (crc32(f"{offset} begun".encode(), checksum), offset)


def folded(state: State, offset: int) -> State:
    """The state after one more record."""
    checksum, last = begun(state, offset)
    return crc32(f"{offset} done".encode(), checksum), last


@dataclass(slots=True)
class Worker:
    """A process that reads the topic."""

    life: Life
    task: asyncio.Task[None]
    stop: asyncio.Event


@dataclass(slots=True)
class World:
    """Everything that one seed plays with."""

    chance: Random
    log: Log
    group: Group
    store: Store = field(default_factory=Store)
    workers: list[Worker] = field(default_factory=list)
    former: list[Worker] = field(default_factory=list)

    def start_worker(self) -> None:
        life = Life(self.chance)
        pool: Any = Pool(self.store, life)
        producer: Any = Producer(self.log, life)
        batching = Batching(self.chance.randint(1, 30), timedelta(milliseconds=20))
        with _members_of(self.group, life):
            consumer = FencedConsumer(
                "fold",
                TOPIC,
                Fold(self.store, life),
                Settings(session_timeout=timedelta(seconds=3)),
                pool,
                producer,
                batching,
                owner=f"worker-{len(self.former) + len(self.workers)}",
            )
        stop = asyncio.Event()
        task = asyncio.ensure_future(consumer.run(stop))
        # The group hears no more of a process that has ended, although it could not leave.
        task.add_done_callback(lambda _: life.kill())
        self.workers.append(Worker(life, task, stop))

    def write(self, count: int) -> None:
        """More records, anywhere."""
        for _ in range(count):
            at_ms = int(clock.now().timestamp() * 1000)
            self.log.append(self.chance.randrange(PARTITIONS), b"value", at_ms)

    def take_away(self) -> Worker:
        """Any worker, which no longer counts as one."""
        gone = self.workers.pop(self.chance.randrange(len(self.workers)))
        self.former.append(gone)
        return gone


@contextmanager
def _members_of(group: Group, life: Life) -> Iterator[None]:
    """Within it, consumers are members of the simulated group."""
    former = membership.member
    membership.member = lambda *_: Consumer(group, life)
    try:
        yield
    finally:
        membership.member = former


def play(seed: int) -> int:
    """Play one seed; returns how many records were read. Raises AssertionError with the seed."""
    try:
        return run_simulated(lambda: _play(seed))
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


async def _play(seed: int) -> int:
    log = Log(TOPIC, [[] for _ in range(PARTITIONS)])
    world = World(Random(seed), log, Group(log))
    watching = asyncio.ensure_future(world.group.watch())
    try:
        await _go_through(world)
        _check(world)
    finally:
        watching.cancel()
        await _end(world)
    return sum(len(records) for records in log.partitions)


async def _go_through(world: World) -> None:
    """All faults, and then time enough to come to the end."""
    for _ in range(WORKERS):
        world.start_worker()
    for _ in range(FAULTS):
        world.write(world.chance.randint(0, 60))
        await asyncio.sleep(world.chance.uniform(0.0, 4.0))
        await _break_something(world)
    for one in world.workers:
        one.life.resume()
    await _all_is_done(world)


async def _break_something(world: World) -> None:
    """One fault; pauses and outages last into the next ones."""
    fault = world.chance.choice(["kill", "pause", "pause", "stop", "join", "outage"])
    if fault == "join" or len(world.workers) == 1:
        world.start_worker()
    elif fault == "kill":
        world.take_away().life.kill()
        world.start_worker()
    elif fault == "stop":
        world.take_away().stop.set()
    elif fault == "pause":
        one = world.chance.choice(world.workers)
        one.life.pause()
        seconds = world.chance.uniform(0.1, 15.0)
        asyncio.get_running_loop().call_later(seconds, one.life.resume)
    else:
        world.store.go_down()
        await asyncio.sleep(world.chance.uniform(0.1, 8.0))
        world.store.is_up = True


async def _all_is_done(world: World) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not _is_done(world):  # noqa: ASYNC110 - in simulated time
            await asyncio.sleep(0.5)


def _is_done(world: World) -> bool:
    fences = {key[2]: row["next_offset"] for key, row in world.store.fences.items()}
    ends = {number: len(records) for number, records in enumerate(world.log.partitions)}
    is_read = all(fences.get(number, 0) == end for number, end in ends.items())
    return is_read and all(row["is_published"] for row in world.store.outbox)


def _check(world: World) -> None:
    echoes = [one.value.decode() for one in world.log.published]
    for partition, records in enumerate(world.log.partitions):
        every = list(range(len(records)))
        state = reduce(folded, every, NOTHING)
        assert world.store.applied.get(partition, []) == every, "each record once, in order"
        assert world.store.states.get(partition, NOTHING) == state, "memory is what the tables say"
        firsts = [one for one in dict.fromkeys(echoes) if one.startswith(f"{partition}:")]
        assert firsts == [f"{partition}:{offset}" for offset in every], "each echo, in order"
    for worker in world.workers + world.former:
        if worker.task.done() and not worker.task.cancelled():
            assert worker.task.exception() is None, "no worker ends by itself"


async def _end(world: World) -> None:
    workers = world.workers + world.former
    tasks = asyncio.all_tasks() - {asyncio.current_task()} | {one.task for one in workers}
    for worker in workers:
        worker.life.let_go()
    for task in tasks:
        task.cancel()
    # Of a task whose exception nobody takes asyncio complains at any moment later.
    await asyncio.gather(*tasks, return_exceptions=True)
