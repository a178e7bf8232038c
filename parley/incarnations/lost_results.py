"""Seals and verdicts that their topics have lost, from the outbox and from the tables they filled.

The outbox keeps what was published for a day, and has every record as it was. What is older is put
together from its row; a job's end without a verdict, an attempt and a charge have none, and do not
come back. Whoever has
read these records knows them by their keys, so their places need not be the former ones.
"""

import json
from collections.abc import AsyncIterator, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from parley.analyses import (
    Analysis,
    AttemptStarted,
    ChargeRecorded,
    JobEnded,
    JobEndKind,
    JobReopened,
    JobTrigger,
)
from parley.codec import (
    InvalidRecord,
    LogRecord,
    decode_analysis,
    decode_seal,
    encode_job_ended,
    encode_seal,
    event_key,
)
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.codec.seals import SEAL_HEADERS
from parley.db.pool import Connection
from parley.events import EndReason
from parley.incarnations.broker import read_partition
from parley.incarnations.situation import Situation
from parley.incarnations.switching import SQL
from parley.seals import Cut, Seal, SealCause, SegmentRetracted, SegmentSealed, SessionSettled
from parley.settings import Settings
from parley.topics import Topic, partition_of

Known = Seal | Analysis
# What a session's settling waits for.
_SETTLES_AFTER: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class _Result:
    """A record that the topic should hold, and since when."""

    at: datetime
    told: Known
    value: bytes


async def lost_results(
    settings: Settings, connection: Connection, situation: Situation, partition: int, kept: int
) -> list[LogRecord]:
    """What belongs into the partition and is not below `kept`, by time."""
    known: set[Hashable] = set()
    async for record in read_partition(settings, situation.source, partition, 0, kept):
        told = _read(situation.kind, record.value)
        if told is not None:
            known.add(_key(told))
    lost: list[_Result] = []
    async for result in _results(connection, situation):
        if _partition(result.told, situation) == partition and _key(result.told) not in known:
            known.add(_key(result.told))
            lost.append(result)
    lost.sort(key=lambda one: one.at)
    return [_record(situation, partition, one) for one in lost]


async def _results(connection: Connection, situation: Situation) -> AsyncIterator[_Result]:
    kind = situation.kind
    sealed_at: dict[Hashable, datetime] = {}
    if kind is Topic.SEALS:
        rows = await connection.fetch(SQL["stored_seals"])
        stored = [_Result(row["sealed_at"], seal, encode_seal(seal)) for row, seal in _seals(rows)]
        sealed_at = {_key(one.told): one.at for one in stored}
        stored += list(_settlements(await connection.fetch(SQL["settled_sessions"])))
    else:
        stored = list(_verdicts(await connection.fetch(SQL["stored_verdicts"])))
    for row in await connection.fetch(SQL["published_into"], situation.source):
        told = _read(kind, row["value"])
        if told is not None:
            yield _Result(sealed_at.get(_key(told), row["published_at"]), told, row["value"])
    for one in stored:
        yield one


def _read(kind: Topic, value: bytes | None) -> Known | None:
    try:
        return decode_seal(value) if kind is Topic.SEALS else decode_analysis(value)
    except InvalidRecord:
        return None


def _key(told: Known) -> Hashable:
    """What readers know it by."""
    if isinstance(told, SegmentSealed):
        return told.tenant_id, told.segment_id, told.revision
    if isinstance(told, SessionSettled):
        return told.tenant_id, told.session_id, told.generation, told.ended_at
    if isinstance(told, ChargeRecorded):
        return told.charge.reservation_id, told.charge.actual_micro_usd is None
    if isinstance(told, AttemptStarted):
        return told.job.key, told.generation, told.attempt
    if isinstance(told, JobReopened):
        return told.job.key, told.generation
    return told.job.key, told.end, told.generation


def _partition(told: Known, situation: Situation) -> int:
    return partition_of(_record_key(told), len(situation.ends))


def _record_key(told: Known) -> bytes:
    whose = told if isinstance(told, SegmentSealed | SessionSettled) else told.job
    return event_key(whose.tenant_id, whose.conversation_id)


def _record(situation: Situation, partition: int, result: _Result) -> LogRecord:
    headers = SEAL_HEADERS if situation.kind is Topic.SEALS else ANALYSIS_HEADERS
    key = _record_key(result.told)
    return LogRecord(situation.source, partition, -1, result.at, key, result.value, headers)


def _seals(rows: list[Any]) -> Iterator[tuple[Any, SegmentSealed]]:
    for row in rows:
        own = dict(row)
        own.pop("sealed_at")
        cut_time, cut_id = own.pop("cut_event_time"), own.pop("cut_event_id")
        retracted = [SegmentRetracted(**one) for one in json.loads(own.pop("retracted"))]
        own["participants"], own["user_ids"] = tuple(own["participants"]), tuple(own["user_ids"])
        yield (
            row,
            SegmentSealed(
                **{**own, "cause": SealCause(own["cause"])},
                cut=Cut(cut_time, cut_id) if cut_id is not None else None,
                retracted=tuple(retracted),
                participant_count=len(own["participants"]),
                user_count=len(own["user_ids"]),
            ),
        )


def _settlements(rows: list[Any]) -> Iterator[_Result]:
    for row in rows:
        at = row["ended_at"] + _SETTLES_AFTER
        settled = SessionSettled(
            **dict(row),
            reason=EndReason.IDLE,
            incarnation="",
            partition=0,
            decided_offset=0,
            watermark=at,
        )
        yield _Result(at, settled, encode_seal(settled))


def _verdicts(rows: list[Any]) -> Iterator[_Result]:
    for row in rows:
        ended = JobEnded(
            **{**dict(row), "trigger": JobTrigger(row["trigger"])},
            end=JobEndKind.VERDICT,
            reason="",
        )
        yield _Result(ended.ended_at, ended, encode_job_ended(ended))
