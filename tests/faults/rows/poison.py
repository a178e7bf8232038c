"""Records that nobody can use, one in a hundred: each becomes a dead letter, and nothing stops."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from parley import clock
from parley.codec import Outgoing, event_key
from parley.codec.events import EVENT_HEADERS
from parley.db import pool as database
from parley.events import Content, MessageRecorded, Role
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from parley.wire import seals_pb2
from tests.faults.row import Findings, Row
from tests.faults.scene import started
from tests.faults.stage import Stage
from tests.integration.persister.reading import ledger
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, event, message, outgoing
from tests.support.topics import read_records
from tests.support.wait import eventually

ONE_IN: Final = 100
CONVERSATIONS: Final = 500
ROUND: Final = 1_000
DEEP: Final = 10_000
# Those of one kind, in the order of the dead letters' reasons.
REASONS: Final = ("nul", "json", "json", "protobuf", "protobuf")


def poison(settings: Settings, number: int) -> Outgoing:
    """Bad record number n: NUL, lone surrogate, deep JSON, bad UTF-8, wrong proto, in turn."""
    name = f"c{number % CONVERSATIONS}"
    kind = number % len(REASONS)
    contents = {
        0: Content("a NUL: \0"),
        1: Content("surrogate", None, '{"half": "\\ud800"}'),
        2: Content("deep", None, '{"a":' * DEEP + "1" + "}" * DEEP),
    }
    if kind in contents:
        return outgoing(settings, event(name, MessageRecorded(Role.USER, contents[kind])))
    whole = outgoing(settings, message(name, f"bad-{number}", "good text"))
    if kind == 3:
        value = whole.value.replace(b"good text", b"\xed\xa0\x80 text")
    else:
        value = seals_pb2.Seal(tenant_id="t" * 20).SerializeToString() + b"\xff"
    key = event_key(TENANT, name)
    return Outgoing(settings.topic(Topic.EVENTS), key, value, EVENT_HEADERS)


def log_of(settings: Settings, bad_count: int) -> Iterator[tuple[str, Outgoing]]:
    """Every record with its event's id; those of bad ones are empty."""
    for number in range(bad_count * ONE_IN):
        if number % ONE_IN == ONE_IN // 2:
            yield "", poison(settings, number // ONE_IN)
        else:
            one = message(f"c{number % CONVERSATIONS}", number, "x" * 200)
            yield one.event_id, outgoing(settings, one)


async def publish_all(settings: Settings, bad_count: int) -> set[str]:
    """Put everything into the log; returns the ids that were acknowledged."""
    producer = Producer(settings)
    await producer.start()
    acknowledged: set[str] = set()
    pending: list[tuple[str, Outgoing]] = []
    try:
        for one in log_of(settings, bad_count):
            pending.append(one)
            if len(pending) == ROUND:
                await producer.send_all([record for _, record in pending])
                acknowledged.update(event_id for event_id, _ in pending)
                pending.clear()
    finally:
        await producer.stop()
    return acknowledged - {""}


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Let a persister of ordinary batches read a log with so many bad records."""
    async with stage.fresh() as settings:
        pool = await database.connect(settings)
        async with started(ServiceProcess("persister", settings)):
            began_at = clock.monotonic()
            acknowledged = await publish_all(settings, count)
            published_at = clock.monotonic()

            async def is_read() -> bool:
                now = await ledger(pool, settings, Topic.EVENTS)
                return now.consumed >= count * ONE_IN

            await eventually(is_read, timeout=120)
            read_at = clock.monotonic()

            async def copies() -> bool:
                return len(await read_records(settings, Topic.DEAD_LETTERS)) >= count

            await eventually(copies, timeout=30, every=0.5)
        found = await ledger(pool, settings, Topic.EVENTS)
        rows = await pool.fetch("SELECT id::text FROM conversation_messages")
        reasons = Counter(
            row["reason"] for row in await pool.fetch("SELECT reason FROM dead_letters")
        )
        await pool.close()
    stored = {row["id"] for row in rows}
    expected = Counter(REASONS[number % len(REASONS)] for number in range(count))
    problems = () if reasons == expected else (f"dead letters {dict(reasons)}",)
    return Findings(
        acknowledged=count * ONE_IN,
        lost=len(acknowledged - stored),
        doubled=len(stored - acknowledged) + abs(found.stored - len(stored)),
        residue=abs(found.residue),
        longest_catch_up_s=read_at - published_at,
        problems=problems,
        more={
            "dead_letters": sum(reasons.values()),
            "seconds_to_publish_and_read": round(read_at - began_at, 1),
        },
    )


ROW = Row(
    "poison",
    "one record in a hundred is NUL, a lone surrogate, 10,000-deep JSON, bad UTF-8 or another "
    "message: exactly those become dead letters, and nothing stalls",
    unit="bad records",
    full=1_000,
    short=10,
    at_once=1_000,
    run=run,
)
