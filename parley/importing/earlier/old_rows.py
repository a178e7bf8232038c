"""A row of an earlier tracker's tables as a value, or the reason why it is none."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

import orjson

from parley.codec.validity import EARLIEST, LATEST
from parley.events import Role
from parley.importing.records import to_us
from parley.importing.rows import DIGEST_BYTES, BadLine


class Repair(StrEnum):
    """What earlier trackers are known to leave wrong, and is put right."""

    ACTIVE_THOUGH_ENDED = "active_though_ended"
    ENDS_BEFORE_START = "ends_before_start"
    NO_START = "no_start"
    NO_END = "no_end"
    NO_DURATION = "no_duration"
    WRONG_DURATION = "wrong_duration"
    NO_USER_ON_SESSION = "no_user_on_session"
    NO_USER_ON_MESSAGE = "no_user_on_message"
    MESSAGE_WITHOUT_SESSION = "message_without_session"
    SESSION_MISSING = "session_missing"
    ROLE_RENAMED = "role_renamed"
    METADATA_WRAPPED = "metadata_wrapped"


Repairs = Counter[Repair]

# What trackers called the speakers before there were four roles.
_ROLES: Final = {
    "human": Role.USER,
    "ai": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
    "agent": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "function": Role.TOOL,
}
_WRITTEN: Final = {role.value: role for role in Role}
# Ten years: what is longer, or negative, or no number, says nothing.
_LONGEST_S: Final = 10 * 366 * 86_400
_EARLIEST_US: Final = to_us(EARLIEST)
_LATEST_US: Final = to_us(LATEST)


@dataclass(frozen=True, slots=True)
class OldSession:
    """A session as its row tells it; times in microseconds since 1970, ids empty for none."""

    key: str
    conversation_id: str
    user_id: str
    start_us: int | None
    end_us: int | None
    duration_s: float | None
    has_duration: bool
    is_active: bool
    metadata_json: str


@dataclass(frozen=True, slots=True)
class OldMessage:
    """A message as its row tells it; `digest` tells those apart that have no key."""

    key: str
    session_id: str
    conversation_id: str
    user_id: str
    role: Role
    text: str
    occurred_us: int
    audio_url: str | None
    language: str
    metadata_json: str
    digest: str


def old_session(row: Mapping[str, Any], prefix: str) -> tuple[OldSession, Repairs]:
    """The session of a row, by purposes; raises BadLine. `prefix` goes before ids."""
    repairs: Repairs = Counter()
    key = row["key"] or ""
    if not key:
        raise BadLine("its key is missing")
    session = OldSession(
        key=prefix + key,
        conversation_id=_prefixed(prefix, row.get("conversation")),
        user_id=row.get("user") or "",
        start_us=_time(row.get("start"), "start"),
        end_us=_time(row.get("end"), "end"),
        duration_s=_duration(row.get("duration")),
        has_duration="duration" in row,
        is_active=bool(row.get("is_active")),
        metadata_json=_metadata(row.get("metadata"), repairs),
    )
    return session, repairs


def old_message(row: Mapping[str, Any], prefix: str) -> tuple[OldMessage, Repairs]:
    """The message of a row, by purposes; raises BadLine. `prefix` goes before ids."""
    repairs: Repairs = Counter()
    occurred_us = _time(row["time"], "time")
    if occurred_us is None:
        raise BadLine("its time is missing")
    session_id = _prefixed(prefix, row.get("session"))
    conversation_id = _prefixed(prefix, row.get("conversation"))
    if not session_id and not conversation_id:
        raise BadLine("it names neither a session nor a conversation")
    message = OldMessage(
        key=row.get("key") or "",
        session_id=session_id,
        conversation_id=conversation_id,
        user_id=row.get("user") or "",
        role=_role(row["role"], repairs),
        text=_text(row),
        occurred_us=occurred_us,
        audio_url=row.get("audio_url"),
        language=row.get("language") or "",
        metadata_json=_metadata(row.get("metadata"), repairs),
        digest=digest_of_row(row),
    )
    return message, repairs


def _prefixed(prefix: str, value: str | None) -> str:
    return prefix + value if value else ""


def _time(value: int | str | None, name: str) -> int | None:
    """Microseconds since 1970; None where the row says nothing."""
    moment_us = _parsed(value, name) if isinstance(value, str) else value
    if moment_us is not None and not _EARLIEST_US <= moment_us < _LATEST_US:
        raise BadLine(f"its {name} lies outside the years 1900 to 2200")
    return moment_us


def _duration(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= _LONGEST_S else None


def _parsed(text: str, name: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
        # A time without a zone is taken as UTC.
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLine(f"its {name} is not an ISO 8601 time") from error
    return to_us(moment)


def _role(value: str | None, repairs: Repairs) -> Role:
    if not value:
        raise BadLine("its role is missing")
    if value in _WRITTEN:
        return _WRITTEN[value]
    role = (_WRITTEN | _ROLES).get(value.strip().lower())
    if role is None:
        raise BadLine(f"its role is none of {', '.join(Role)}")
    repairs[Repair.ROLE_RENAMED] += 1
    return role


def _text(row: Mapping[str, Any]) -> str:
    text: str | None = row["content"]
    if text is not None:
        return text
    if row.get("audio_url"):
        return ""
    raise BadLine("its content is missing")


def _metadata(text: str | None, repairs: Repairs) -> str:
    """A JSON object as text, empty for none; what is something else goes under `value`."""
    if not text or text.isspace():
        return ""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    if value is None or value == {}:
        return ""
    if not isinstance(value, dict):
        repairs[Repair.METADATA_WRAPPED] += 1
        value = {"value": value}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def digest_of_row(row: Mapping[str, Any]) -> str:
    """A digest of all that the row says."""
    used = {name: value for name, value in row.items() if value is not None}
    return blake2b(
        orjson.dumps(used, option=orjson.OPT_SORT_KEYS), digest_size=DIGEST_BYTES
    ).hexdigest()
