"""The sealer itself: one worker, its own path, its own tables."""

from datetime import datetime, timedelta
from typing import Final

from benchmarks.sealing import traffic
from benchmarks.sealing.peers import Job, Peer, Result
from benchmarks.sealing.traffic import Segment
from parley.codec.record import EPOCH
from parley.codec.seals import decode_seal
from parley.db.pool import Connection
from parley.db.sql import load
from parley.seals import SegmentSealed
from tests.support.processes import ServiceProcess

NAME: Final = "Parley"
SQL: Final = load(__package__)
_MILLISECOND: Final = timedelta(milliseconds=1)


def peer(connection: Connection) -> Peer:
    """The sealer; `connection` is to its database. It says of sessions too that they are over."""

    async def progress(job: Job) -> int:
        done: int = await connection.fetchval(SQL["progress"], job.input_topic)
        return done

    def start(job: Job) -> ServiceProcess:
        # The log has its tick: one more would be a record that the next run reads.
        return ServiceProcess("sealer", job.settings, PARLEY_SEALER_TICK_DELAY="3600")

    return Peer(NAME, start, progress, _read, len(traffic.segments()) + traffic.sessions())


async def forget(connection: Connection) -> None:
    """Empty tables, no offset: the next run begins anew."""
    await connection.execute(SQL["forget"])


def _read(result: Result) -> Segment | None:
    seal = decode_seal(result.value)
    if not isinstance(seal, SegmentSealed):
        return None
    first_ms, last_ms = _milliseconds(seal.started_at), _milliseconds(seal.ended_at)
    return Segment(seal.conversation_id, first_ms, last_ms, seal.message_count)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _MILLISECOND
