"""One row of a file as a message, or the reason why it is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from parley.events import Role

REQUIRED: Final = ("conversation_id", "role", "content", "occurred_at")
OPTIONAL: Final = (
    "message_id",
    "session_id",
    "author",
    "user_id",
    "metadata",
    "audio_url",
    "language",
)
# A record has 1 MB at most, and JSON needs at most 6 bytes for one of its own: \u00e9.
MAX_LINE_BYTES: Final = 8 * 1024 * 1024
FIELDS: Final = frozenset((*REQUIRED, *OPTIONAL))

DIGEST_BYTES: Final = 16


class BadLine(Exception):
    """A line that is no message; the text says why, and never holds what the line says."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A message as the file tells it; `message_id` is empty where the file names none.

    `digest` tells messages apart that the file does not name: it covers every field that is used
    as the file has it, but for spaces and the order of keys in JSON. The same time or number
    written in another way makes another message.
    """

    conversation_id: str
    role: Role
    text: str
    occurred_at: datetime
    message_id: str
    user_id: str
    metadata_json: str
    audio_url: str | None
    language: str
    session_id: str
    digest: str
    ignored_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReadRow:
    """What became of one row of a file; `number` is the line where it begins, from 1."""

    number: int
    size_bytes: int
    found: ImportRow | BadLine


def parse_row(line: bytes) -> ImportRow:
    """The message of a line of JSON; raises BadLine."""
    return row_from(_object(line))


def row_from(fields: Mapping[str, Any]) -> ImportRow:
    """The message of a row's fields by name; raises BadLine."""
    role = _role(fields)
    author = _identifier(fields, "author")
    user_id = _identifier(fields, "user_id")
    if not user_id and role is Role.USER:
        user_id = author
    return ImportRow(
        conversation_id=_required_identifier(fields, "conversation_id"),
        role=role,
        text=_content(fields),
        occurred_at=_occurred_at(fields),
        message_id=_identifier(fields, "message_id"),
        user_id=user_id,
        metadata_json=_metadata_json(fields, author),
        audio_url=_text(fields, "audio_url"),
        language=_text(fields, "language") or "",
        session_id=_identifier(fields, "session_id"),
        digest=_digest(fields),
        ignored_fields=frozenset(fields.keys() - FIELDS),
    )


def _object(line: bytes) -> dict[str, Any]:
    if len(line) >= MAX_LINE_BYTES:
        raise BadLine(f"longer than {MAX_LINE_BYTES:,} bytes")
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8 at byte {error.start + 1}") from error
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"not valid JSON at column {error.colno}") from error
    if not isinstance(fields, dict):
        raise BadLine("not a JSON object")
    return fields


def _required_identifier(fields: Mapping[str, Any], name: str) -> str:
    value = _identifier(fields, name)
    if not value:
        raise BadLine(f"{name} is missing")
    return value


def _identifier(fields: Mapping[str, Any], name: str) -> str:
    """Text, or an integer as text: many exports number what they name."""
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadLine(f"{name} is neither text nor an integer")
    return value


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise BadLine(f"{name} is not text")
    return value


def _content(fields: Mapping[str, Any]) -> str:
    text = _text(fields, "content")
    if text is None:
        raise BadLine("content is missing")
    return text


def _role(fields: Mapping[str, Any]) -> Role:
    value = fields.get("role")
    if value is None:
        raise BadLine("role is missing")
    try:
        return Role(value)
    except ValueError as error:
        raise BadLine(f"role is none of {', '.join(Role)}") from error


def _occurred_at(fields: Mapping[str, Any]) -> datetime:
    value = fields.get("occurred_at")
    if value is None:
        raise BadLine("occurred_at is missing")
    try:
        moment = datetime.fromisoformat(value)
        # A time without a zone is taken as UTC.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadLine("occurred_at is not an ISO 8601 time such as 2024-05-01T12:00:00Z") from error


def _metadata_json(fields: Mapping[str, Any], author: str) -> str:
    metadata = fields.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise BadLine("metadata is not a JSON object")
    if author:
        metadata = {"author": author, **metadata}
    if not metadata:
        return ""
    return orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS).decode()


def _digest(fields: Mapping[str, Any]) -> str:
    used = {name: value for name, value in fields.items() if name in FIELDS and value is not None}
    canonical = orjson.dumps(used, option=orjson.OPT_SORT_KEYS)
    return blake2b(canonical, digest_size=DIGEST_BYTES).hexdigest()
