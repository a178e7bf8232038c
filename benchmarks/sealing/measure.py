"""Measures the sealer and its peers in turns, on one machine, over the same topic."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import NewTopic

from benchmarks.processes import LoadFailed
from benchmarks.results import RunSeries
from benchmarks.sealing import kafka_streams, parley_sealer, quix_streams, traffic
from benchmarks.sealing.peers import Job, Peer
from benchmarks.sealing.report import SealingReport
from benchmarks.sealing.runs import Results, SealingRun, Servers, watch
from benchmarks.sealing.traffic import Record
from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import admin_client
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic

RECORDS_AT_ONCE: Final = 2_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is, how often each is measured, and how long at most."""

    settings: Settings
    servers: Servers
    cache_dir: Path
    runs: int
    longest_s: float


def measure(place: Place, say: Say) -> SealingReport:
    """Every peer `runs` times, in turns; what cannot be had is named with the reason."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-sealing-") as folder:
        peers, missing = _peers(place.cache_dir, Path(folder), say)
        say(f"publishing {traffic.EVENTS:,} messages of {traffic.CONVERSATIONS:,} conversations")
        found = asyncio.run(_measure_all(place, peers, Path(folder), say))
    series = tuple(RunSeries(name, tuple(runs)) for name, runs in found.items())
    return SealingReport(series, missing)


def _peers(cache_dir: Path, folder: Path, say: Say) -> tuple[list[Peer], dict[str, str]]:
    found: list[Peer] = []
    missing: dict[str, str] = {}
    build_dir = folder / "classes"
    makers: dict[str, Callable[[], Peer]] = {
        kafka_streams.NAME: lambda: kafka_streams.peer(cache_dir, build_dir, say),
        quix_streams.NAME: lambda: quix_streams.peer(cache_dir, say),
    }
    for name, get in makers.items():
        try:
            found.append(get())
        except UserError as error:
            missing[name] = str(error)
    return found, missing


async def _measure_all(
    place: Place, peers: list[Peer], folder: Path, say: Say
) -> dict[str, list[SealingRun]]:
    settings = place.settings
    await _publish(settings)
    found: dict[str, list[SealingRun]] = defaultdict(list)
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    kafka = AIOKafkaConsumer(**kafka_options(settings))
    await kafka.start()
    try:
        sealer = parley_sealer.peer(connection)
        for number in range(place.runs):
            for peer in (sealer, *peers):
                say(f"run {number + 1} of {place.runs}: {peer.name}")
                await parley_sealer.forget(connection)
                job = await _job(settings, peer, folder, number)
                results = Results(kafka, job.output_topic, settings.partitions)
                run = watch(peer, job, results, place.servers, place.longest_s)
                found[peer.name].append(await _named(peer, run))
    finally:
        await kafka.stop()
        await connection.close()
    return found


async def _named(peer: Peer, run: Awaitable[SealingRun]) -> SealingRun:
    try:
        return await run
    except LoadFailed as error:
        raise LoadFailed(f"{peer.name}: {error}") from error


async def _job(settings: Settings, peer: Peer, folder: Path, number: int) -> Job:
    events, seals = settings.topic(Topic.EVENTS), settings.topic(Topic.SEALS)
    name = f"{settings.topic_prefix}{peer.name.lower().replace(' ', '-')}-{number}"
    job = Job(settings, events, f"{name}.results", folder / name)
    job.folder.mkdir()
    if peer.name == parley_sealer.NAME:
        return Job(settings, events, seals, job.folder)
    async with admin_client(settings) as admin:
        await admin.create_topics([NewTopic(job.output_topic, settings.partitions, 1)])
    return job


async def _publish(settings: Settings) -> None:
    """The messages, and a tick at the end of each partition."""
    topic = settings.topic(Topic.EVENTS)
    waiting: dict[int, list[Record]] = defaultdict(list)
    producer = Producer(settings)
    await producer.start()
    try:
        for partition, record in traffic.messages(topic, settings.partitions):
            waiting[partition].append(record)
            if len(waiting[partition]) == RECORDS_AT_ONCE:
                await producer.send_batch(partition, waiting.pop(partition))
        for partition in range(settings.partitions):
            last = [*waiting[partition], traffic.tick(topic)]
            await producer.send_batch(partition, last)
    finally:
        await producer.stop()
