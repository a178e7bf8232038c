"""One run of one peer: its rate, its processor time, its memory and its results, from outside.

The rate is taken from the first moment at which the peer has durably done with some records,
without them, to the one at which its last result can be read: a JVM's start is not in it, its
warm-up is. One that is not done after `longest_s` is stopped there, and its rate is that of what it
has done. The processor time is the process's whole life's; `busy_cpu_seconds` is that of the
measured stretch, as is what the servers used.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.processes import LoadFailed, cpu_seconds, peak_rss_bytes, tree_cpu_seconds
from benchmarks.sealing import traffic
from benchmarks.sealing.peers import Job, Peer, Result, Running
from benchmarks.sealing.traffic import Segment
from parley import clock

START_TIMEOUT_S: Final = 120.0
# A peer that publishes nothing for so long has said all that it will.
SILENT_S: Final = 15.0
POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Agreement:
    """Its segments against those of the rule's own words."""

    same: int
    missing: int
    different: int
    """Wrong, or there twice."""


@dataclass(frozen=True, slots=True)
class SealingRun:
    """What was found; CPU seconds are per 100,000 events."""

    events: int
    """All, or what it has done within the time."""
    events_per_second: float
    start_seconds: float
    """From the process's start to its first records done with."""
    cpu_seconds: float
    busy_cpu_seconds: float
    broker_cpu_seconds: float
    postgres_cpu_seconds: float
    peak_rss_bytes: int
    segments: Agreement


class Results:
    """The results topic of one run, seen from where it ended before."""

    def __init__(self, kafka: AIOKafkaConsumer, topic: str, partitions: int) -> None:
        self._kafka = kafka
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._begins: dict[TopicPartition, int] = {}

    async def begin(self) -> None:
        """What is there by now does not count."""
        self._begins = await self._ends()

    async def count(self) -> int:
        """How many came."""
        return sum((await self._ends()).values()) - sum(self._begins.values())

    async def read(self) -> list[Result]:
        """All that came."""
        ends = await self._ends()
        self._kafka.assign(self._places)
        for place, offset in self._begins.items():
            self._kafka.seek(place, offset)
        found: list[Result] = []
        left = {place for place, end in ends.items() if end > self._begins[place]}
        while left:
            fetched: Mapping[TopicPartition, list[Any]] = await self._kafka.getmany(timeout_ms=500)
            for place, records in fetched.items():
                found.extend(Result(one.key, one.value) for one in records)
                if records[-1].offset >= ends[place] - 1:
                    left.discard(place)
        return found

    async def _ends(self) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await self._kafka.end_offsets(self._places)
        return ends


@dataclass(frozen=True, slots=True)
class Servers:
    """Who else works for a peer."""

    kafka_pid: int
    postgres_pid: int

    def cpu_seconds(self) -> tuple[float, float]:
        """The broker's and PostgreSQL's processor time so far."""
        return cpu_seconds(self.kafka_pid), tree_cpu_seconds(self.postgres_pid)


async def watch(
    peer: Peer, job: Job, results: Results, servers: Servers, longest_s: float
) -> SealingRun:
    """Start a peer and follow it until its last result, or for long enough; raises LoadFailed."""
    await results.begin()
    began_s = clock.monotonic()
    with peer.start(job) as process:
        done_before = await _until_first(peer, job, process)
        first_s = clock.monotonic()
        used, servers_used = cpu_seconds(process.pid), servers.cpu_seconds()
        is_done, last_s = await _until_last(peer, job, results, process, longest_s)
        done = traffic.EVENTS if is_done else min(traffic.EVENTS, await peer.progress(job))
        share = 100_000 / (done - done_before)
        whole_life = cpu_seconds(process.pid)
        broker, postgres = (
            (now - before) * share
            for now, before in zip(servers.cpu_seconds(), servers_used, strict=True)
        )
        peak = peak_rss_bytes(process.pid)
    return SealingRun(
        events=done,
        events_per_second=(done - done_before) / (last_s - first_s),
        start_seconds=first_s - began_s,
        cpu_seconds=whole_life * 100_000 / done,
        busy_cpu_seconds=(whole_life - used) * share,
        broker_cpu_seconds=broker,
        postgres_cpu_seconds=postgres,
        peak_rss_bytes=peak,
        segments=_compare(peer, await results.read()),
    )


async def _until_first(peer: Peer, job: Job, process: Running) -> int:
    deadline_s = clock.monotonic() + START_TIMEOUT_S
    while not (done := await peer.progress(job)):
        _check(process)
        if clock.monotonic() > deadline_s:
            raise LoadFailed(f"it does not begin\n{process.output[-2_000:]}")
        await asyncio.sleep(POLL_S)
    return done


async def _until_last(
    peer: Peer, job: Job, results: Results, process: Running, longest_s: float
) -> tuple[bool, float]:
    """Whether it is done, and when its last result came, or it was stopped (monotonic)."""
    began_s = came_s = clock.monotonic()
    count = 0
    while count < peer.results:
        _check(process)
        await asyncio.sleep(POLL_S)
        now_s = clock.monotonic()
        if (now := await results.count()) > count:
            count, came_s = now, now_s
        elif now_s - came_s > SILENT_S and await peer.progress(job) >= traffic.EVENTS:
            # It has read everything and said less than it should: what is missing is counted.
            break
        if now_s - began_s > longest_s:
            return False, now_s
    return True, came_s


def _check(process: Running) -> None:
    if not process.is_running:
        raise LoadFailed(f"it ended before it was done\n{process.output[-2_000:]}")


def _compare(peer: Peer, results: list[Result]) -> Agreement:
    found: Counter[Segment] = Counter(
        segment for one in results if (segment := peer.read(one)) is not None
    )
    same = found.keys() & traffic.segments()
    # One that came twice is not what was asked for, either.
    return Agreement(len(same), len(traffic.segments()) - len(same), found.total() - len(same))
