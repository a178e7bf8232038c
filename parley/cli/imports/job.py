"""Publishes what an import has prepared, and follows it; says what an interruption means."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from parley.cli.config_topic import policy_now
from parley.cli.import_progress import ImportProgress
from parley.cli.output import say
from parley.cli.running import run
from parley.db import migrations
from parley.db import pool as database
from parley.db.pool import Pool
from parley.errors import UserError
from parley.importing.bookmarks import Bookmarks
from parley.importing.follow import Follower, Outcome, Phase
from parley.importing.pace import Pace
from parley.importing.past import Envelope
from parley.importing.prepared import Prepared
from parley.importing.publish import Published, import_id_of, publish
from parley.log.admin import PartitionEnds, incarnation_of, topic_ends
from parley.log.producer import Producer
from parley.policies import Policies
from parley.settings import Settings
from parley.topics import Topic


@dataclass(frozen=True, slots=True)
class EventsTopic:
    """Where an import goes, as it was found before any work was done."""

    name: str
    incarnation: str
    ends: list[PartitionEnds]


@dataclass(slots=True)
class ImportJob:
    """One import: what was asked, what is known so far, and how long each phase took."""

    settings: Settings
    envelope: Envelope
    progress: ImportProgress
    max_lag: int
    seconds: dict[str, float] = field(default_factory=dict)
    published_count: int = 0

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Measure the body as this phase, unless it fails."""
        started_at = time.monotonic()
        yield
        self.seconds[phase] = time.monotonic() - started_at


def envelope_of(settings: Settings, tenant: str, channel: str, *, dry_run: bool) -> Envelope:
    """What all events will share; a dry run needs no Kafka, and takes the settings' policy."""
    if dry_run:
        return Envelope(tenant, channel, Policies(settings.gap_policies()).setting_for(channel))
    return Envelope(tenant, channel, run(policy_now(settings, tenant, channel)))


def find_topic(settings: Settings) -> EventsTopic:
    """See that all is there before any work is done; raises UserError."""
    return run(_find_topic(settings))


async def _find_topic(settings: Settings) -> EventsTopic:
    name = settings.topic(Topic.EVENTS)
    ends = await topic_ends(settings, name)
    if not (await migrations.version(settings)).is_newest:
        raise UserError(
            "The database's tables are not this release's.",
            "Create or update them with `parley db upgrade`.",
        )
    return EventsTopic(name, await incarnation_of(settings, name), ends)


def publish_all(job: ImportJob, prepared: Prepared, topic: EventsTopic) -> Published:
    """Publish it to the end, going on where an earlier run of the same import was."""
    job.progress.publishing(prepared.event_count)
    try:
        with job.timed("publish"):
            published = run(_publish(job, prepared, topic))
    except KeyboardInterrupt:
        say(
            f"Interrupted with about {job.published_count:,} of {prepared.event_count:,} "
            "events published. Run the same command again: it goes on where it was, and nothing "
            "comes in twice."
        )
        raise
    job.progress.published(prepared.event_count)
    return published


async def _publish(job: ImportJob, prepared: Prepared, topic: EventsTopic) -> Published:
    def count(events: int) -> None:
        job.published_count = events
        job.progress.published(events)

    tenant_id = job.envelope.tenant_id
    import_id = import_id_of(prepared, tenant_id)
    pool = await database.connect(job.settings, max_size=2)
    producer = Producer(job.settings)
    try:
        await producer.start()
        bookmarks = Bookmarks(pool, tenant_id, import_id, topic.name, topic.incarnation)
        pace = Pace(pool, topic.name, topic.incarnation, job.max_lag, say)
        return await publish(prepared, job.envelope, producer, bookmarks, pace, topic.ends, count)
    finally:
        await producer.stop()
        await pool.close()


def follow(job: ImportJob, prepared: Prepared, published: Published) -> Outcome:
    """Wait until it is stored, sealed and analysed; returns what it came to."""
    try:
        return run(_follow(job, prepared, published))
    except KeyboardInterrupt:
        say("Not waiting any more: everything is in the log, and the services go on with it.")
        raise


async def _follow(job: ImportJob, prepared: Prepared, published: Published) -> Outcome:
    pool = await database.connect(job.settings, max_size=1)
    try:
        return await _wait(job, pool, prepared, published)
    finally:
        await pool.close()


async def _wait(job: ImportJob, pool: Pool, prepared: Prepared, published: Published) -> Outcome:
    progress = job.progress
    follower = Follower(pool, job.settings, job.envelope.tenant_id, published, progress.followed)
    for phase in Phase:
        progress.waiting(phase)
        with job.timed(phase.value):
            await follower.wait(phase)
        progress.reached(phase)
    return await follower.outcome(prepared.conversation_ids())
