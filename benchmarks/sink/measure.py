"""Measures all sinks in turns, on one machine, with the same messages."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from aiokafka.admin import NewTopic

from benchmarks.processes import LoadFailed
from benchmarks.results import RunSeries
from benchmarks.sink import debezium, runs
from benchmarks.sink.messages import (
    MESSAGES,
    Message,
    Record,
    as_json,
    as_parley,
    messages,
    partition_of,
)
from benchmarks.sink.report import SinkReport
from benchmarks.sink.runs import SinkRun, Table
from parley.db.pool import Connection
from parley.errors import UserError
from parley.log.admin import admin_client
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ServiceProcess

RAW_COPY: Final = "COPY from a file"
SIMPLE: Final = "Parley, simple table"
FULL: Final = "Parley, full schema"
RECORDS_AT_ONCE: Final = 2_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is."""

    settings: Settings
    postgres_pid: int
    folder: Path
    jar_folder: Path | None
    """None: Debezium cannot be had."""
    last_ids: tuple[str, ...]

    @property
    def json_topic(self) -> str:
        """What Debezium reads."""
        return f"{self.settings.topic_prefix}messages.json"

    @property
    def text_file(self) -> Path:
        """What COPY reads."""
        return self.folder / "messages.txt"

    def table(self, name: str) -> Table:
        """The table to be filled."""
        return Table(name, MESSAGES, self.last_ids)


Measure = Callable[[Place, Connection, int], Awaitable[SinkRun]]


def measure(
    settings: Settings, postgres_pid: int, cache_dir: Path, run_count: int, say: Say
) -> SinkReport:
    """Every sink, `run_count` times each, in turns; what cannot be had is named with the reason."""
    jar_folder, missing = _debezium(cache_dir, say)
    with tempfile.TemporaryDirectory(prefix="parley-bench-sink-") as folder:
        say(f"publishing {MESSAGES:,} messages, twice: as events, and as JSON")
        last_ids = tuple(_last_ids(settings))
        place = Place(settings, postgres_pid, Path(folder), jar_folder, last_ids)
        found = asyncio.run(_measure_all(place, run_count, say))
    series = tuple(RunSeries(name, tuple(all_runs)) for name, all_runs in found.items())
    return SinkReport(series, missing)


def _debezium(cache_dir: Path, say: Say) -> tuple[Path | None, dict[str, str]]:
    try:
        return debezium.ensure(cache_dir, say), {}
    except UserError as error:
        return None, {one.name: str(error) for one in debezium.VARIANTS}


async def _measure_all(place: Place, run_count: int, say: Say) -> dict[str, list[SinkRun]]:
    await _publish(place)
    found: dict[str, list[SinkRun]] = defaultdict(list)
    url = place.settings.database_url.get_secret_value()
    connection = await asyncpg.connect(url)
    try:
        for number in range(run_count):
            for name, one in _jobs(place):
                say(f"run {number + 1} of {run_count}: {name}")
                await runs.empty(connection)
                try:
                    found[name].append(await one(place, connection, number))
                except LoadFailed as error:
                    raise LoadFailed(f"{name}: {error}") from error
    finally:
        await connection.close()
    return found


def _jobs(place: Place) -> Iterator[tuple[str, Measure]]:
    yield RAW_COPY, _raw_copy
    if place.jar_folder is not None:
        for variant in debezium.VARIANTS:
            yield variant.name, _debezium_with(variant, place.jar_folder)
    yield SIMPLE, _parley("benchmarks.sink.simple_table", "simple")
    yield FULL, _parley("persister", "full")


async def _raw_copy(place: Place, connection: Connection, number: int) -> SinkRun:
    return await runs.copy_from_file(
        connection,
        place.table("simple"),
        str(place.text_file),
        Message._fields,
        place.postgres_pid,
    )


def _debezium_with(variant: debezium.Variant, jar_folder: Path) -> Measure:
    async def run(place: Place, connection: Connection, number: int) -> SinkRun:
        # A name of its own is a group of its own: each run reads from the beginning.
        slug = "-".join(variant.name.lower().replace(",", "").split())
        folder = place.folder / f"{place.settings.topic_prefix}{slug}-{number}"
        with debezium.running(
            variant, place.settings, place.json_topic, "bench_messages", folder, jar_folder
        ) as process:
            try:
                return await runs.watch(
                    connection,
                    place.table("simple"),
                    process.pid,
                    place.postgres_pid,
                    lambda: process.poll() is None,
                )
            except LoadFailed as error:
                said = (folder / "log.txt").read_text()[-2_000:]
                raise LoadFailed(f"{error}\n{said}") from error

    return run


def _parley(module: str, table: str) -> Measure:
    async def run(place: Place, connection: Connection, number: int) -> SinkRun:
        process = ServiceProcess(module, place.settings)
        with process:
            return await runs.watch(
                connection,
                place.table(table),
                process.pid,
                place.postgres_pid,
                lambda: process.is_running,
            )

    return run


def _last_ids(settings: Settings) -> list[str]:
    last = {partition_of(one, settings.partitions): one.id for one in messages()}
    return list(last.values())


async def _publish(place: Place) -> None:
    """The messages as events, as JSON and as COPY's text."""
    settings = place.settings
    async with admin_client(settings) as admin:
        await admin.create_topics([NewTopic(place.json_topic, settings.partitions, 1)])
    events_topic = settings.topic(Topic.EVENTS)
    await publish(settings, messages(), lambda one: as_parley(one, events_topic))
    await publish(settings, messages(), lambda one: as_json(one, place.json_topic))
    lines = ("\t".join(map(str, one)) + "\n" for one in messages())
    await asyncio.to_thread(_write, place.text_file, lines)


def _write(path: Path, lines: Iterator[str]) -> None:
    with path.open("w") as file:
        file.writelines(lines)


async def publish(
    settings: Settings, said: Iterable[Message], to_record: Callable[[Message], Record]
) -> None:
    """Write messages into the partitions of their conversations, in their order."""
    producer = Producer(settings)
    await producer.start()
    try:
        waiting: dict[int, list[Record]] = defaultdict(list)
        for message in said:
            partition = partition_of(message, settings.partitions)
            waiting[partition].append(to_record(message))
            if len(waiting[partition]) == RECORDS_AT_ONCE:
                await producer.send_batch(partition, waiting.pop(partition))
        for partition, records in waiting.items():
            await producer.send_batch(partition, records)
    finally:
        await producer.stop()
