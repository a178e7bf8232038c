"""Records of the core as rows of the sealer's tables, and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from parley.events import Policy
from services.sealer.core import (
    EndRecord,
    Entry,
    ImportRecord,
    Key,
    SegmentRecord,
    SessionRecord,
)

_SPANS = ("idle_gap", "grace", "max_duration")


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows as columns, for unnest; `width` empty ones for no rows."""
    transposed = [list(column) for column in zip(*rows, strict=True)]
    return transposed or [[] for _ in range(width)]


def as_json(rows: Sequence[Any]) -> str:
    """Rows with names as one text, from which the server makes rows again."""
    return orjson.dumps(rows).decode()


# --- segments ---------------------------------------------------------------------------------


def segment_row(record: SegmentRecord, partition: int) -> dict[str, Any]:
    """A row of sealer_windows or sealer_segments."""
    tenant_id, conversation_id = record.key
    first_time, first_event_id = record.first
    last_time, last_event_id = record.last
    return {
        "tenant_id": tenant_id,
        "conversation_id": conversation_id,
        "segment_id": record.segment_id,
        "partition": partition,
        "opening_event_id": record.opening_event_id,
        "revision": record.revision,
        "current_revision": record.current_revision,
        "first_time": first_time,
        "first_event_id": first_event_id,
        "last_time": last_time,
        "last_event_id": last_event_id,
        "reach": record.reach,
        "deadline": record.deadline,
        "message_count": record.message_count,
        "rest": _rest(record),
    }


def values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The row as COPY takes it."""
    *columns, rest = row.values()
    return (*columns, orjson.dumps(rest).decode())


def _rest(record: SegmentRecord) -> dict[str, Any]:
    """What no statement looks for. Times are written as they are in the other columns."""
    return {
        "rule_version": record.rule_version,
        "last_arrival": record.last_arrival,
        "released_at": record.released_at,
        "policy": _policy_to_json(record.policy),
        "channel": record.channel,
        "participants": record.participants,
        "user_ids": record.user_ids,
        "session_ids": record.session_ids,
        "first_offset": record.first_offset,
        "last_offset": record.last_offset,
        "is_imported": record.is_imported,
        "held_by": record.held_by,
        "retracts": record.retracts,
        "end": record.end,
        "cut": record.cut,
    }


def segment(row: Any, is_open: bool) -> SegmentRecord:
    """The record of a row of sealer_windows (open) or sealer_segments."""
    rest = orjson.loads(row["rest"])
    return SegmentRecord(
        key=(row["tenant_id"], row["conversation_id"]),
        segment_id=str(row["segment_id"]),
        opening_event_id=str(row["opening_event_id"]),
        rule_version=rest["rule_version"],
        is_open=is_open,
        revision=row["revision"],
        current_revision=row["current_revision"],
        first=(row["first_time"], str(row["first_event_id"])),
        last=(row["last_time"], str(row["last_event_id"])),
        reach=row["reach"],
        last_arrival=_time(rest["last_arrival"]),
        released_at=_time(rest["released_at"]),
        deadline=row["deadline"],
        policy=_policy(tuple(rest["policy"].items())),
        channel=rest["channel"],
        participants=tuple(rest["participants"]),
        user_ids=tuple(rest["user_ids"]),
        session_ids=tuple(rest["session_ids"]),
        message_count=row["message_count"],
        first_offset=rest["first_offset"],
        last_offset=rest["last_offset"],
        is_imported=rest["is_imported"],
        held_by=tuple(rest["held_by"]),
        retracts=tuple((segment_id, revision) for segment_id, revision in rest["retracts"]),
        end=_end(rest["end"]),
        cut=_key(rest["cut"]),
    )


# There are few policies and many segments.
@lru_cache(maxsize=1_024)
def _policy_to_json(policy: Policy) -> dict[str, Any]:
    whole = asdict(policy)
    # In microseconds, since a float of seconds would not come back the same.
    return {**whole, **{name: whole[name] // timedelta(microseconds=1) for name in _SPANS}}


@lru_cache(maxsize=1_024)
def _policy(items: tuple[tuple[str, Any], ...]) -> Policy:
    whole = dict(items)
    return Policy(**{**whole, **{name: timedelta(microseconds=whole[name]) for name in _SPANS}})


def _end(whole: dict[str, Any] | None) -> EndRecord | None:
    if whole is None:
        return None
    closes_at = datetime.fromisoformat(whole["closes_at"])
    return EndRecord(closes_at, tuple(whole["session_ids"]), whole["is_liftable"])


def _key(pair: list[str] | None) -> Key | None:
    return None if pair is None else (datetime.fromisoformat(pair[0]), pair[1])


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# --- the rest ---------------------------------------------------------------------------------


def entry(row: Any) -> Entry:
    """The entry of a row of sealer_members."""
    target = "" if row["target"] is None else str(row["target"])
    return Entry(str(row["event_id"]), row["event_time"], row["log_offset"], target)


def session_row(record: SessionRecord, partition: int) -> dict[str, Any]:
    """A row of sealer_sessions."""
    tenant_id, conversation_id = record.key
    return {
        "tenant_id": tenant_id,
        "conversation_id": conversation_id,
        "session_id": record.session_id,
        "partition": partition,
        "generation": record.generation,
        "is_open": record.is_open,
        "has_settled": record.has_settled,
        "is_imported": record.is_imported,
        "last_event_time": record.last_event_time,
        "last_arrival": record.last_arrival,
    }


def session(row: Any) -> SessionRecord:
    """The record of a row of sealer_sessions."""
    return SessionRecord(
        key=(row["tenant_id"], row["conversation_id"]),
        session_id=row["session_id"],
        generation=row["generation"],
        is_open=row["is_open"],
        has_settled=row["has_settled"],
        is_imported=row["is_imported"],
        last_event_time=row["last_event_time"],
        last_arrival=row["last_arrival"],
    )


def imports_to_json(imports: Iterable[ImportRecord]) -> str:
    """The column `imports` of sealer_partitions."""
    return orjson.dumps(list(imports)).decode()


def imports(text: str) -> tuple[ImportRecord, ...]:
    """The records of the column `imports`."""
    return tuple(
        ImportRecord(
            one["import_id"],
            one["conversation_id"],
            _time(one["event_time"]),
            datetime.fromisoformat(one["last_seen"]),
        )
        for one in orjson.loads(text)
    )
