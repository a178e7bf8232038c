"""Cursors: opaque texts that say behind what the next page begins."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi.exceptions import RequestValidationError

from parley.results.reading import Behind
from services.gateway.api.fields import MAX_ID_CHARS, invalid
from services.gateway.store import Activity, Place, Row


def message_cursor(row: Row) -> str:
    """Behind this message."""
    return _write(row["event_time"], str(row["id"]))


def message_place(cursor: str | None) -> Place:
    """Where the page begins; raises RequestValidationError for what nobody gave out."""
    if cursor is None:
        return Place()
    time, name = _read(cursor)
    try:
        return Place(time, str(UUID(name)))
    except ValueError as error:
        raise _foreign() from error


def conversation_cursor(row: Row) -> str:
    """Behind this conversation."""
    return _write(row["last_event_at"], row["conversation_id"])


def conversation_place(cursor: str | None) -> Activity | None:
    """Where the page begins; raises RequestValidationError for what nobody gave out."""
    return None if cursor is None else Activity(*_read(cursor))


def verdict_cursor(row: Row) -> str:
    """Behind this verdict."""
    return _write(row["ended_at"], row["key"])


def verdict_place(cursor: str | None) -> Behind | None:
    """Where the page begins; raises RequestValidationError for what nobody gave out."""
    return None if cursor is None else Behind(*_read(cursor))


def _write(time: datetime, name: str) -> str:
    return urlsafe_b64encode(orjson.dumps([time, name])).decode().rstrip("=")


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        match orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))):
            case [time, name]:
                return _moment(time), _name(name)
            case _:
                raise _foreign()
    except (ValueError, TypeError, OverflowError) as error:
        raise _foreign() from error


def _moment(time: Any) -> datetime:
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("without an offset")
    return moment.astimezone(UTC)


def _name(name: Any) -> str:
    if not isinstance(name, str) or "\0" in name or len(name) > MAX_ID_CHARS:
        raise ValueError("not an id")
    return name


def _foreign() -> RequestValidationError:
    return invalid("query", "cursor", "not a cursor that Parley gave out")
