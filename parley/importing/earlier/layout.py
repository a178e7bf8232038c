"""Finds out which columns an earlier tracker's tables have, and what each of them is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parley.errors import UserError

SESSIONS: Final = "conversation_sessions"
MESSAGES: Final = "conversation_messages"

# What each may be called, the most telling name first.
_SESSION_NAMES: Final = {
    "conversation": ("conversation_id",),
    "user": ("user_id",),
    "duration": ("duration_seconds",),
    "is_active": ("is_active",),
    "metadata": ("metadata",),
}
# The two generations of trackers.
_SPANS: Final = (("session_start", "session_end"), ("started_at", "ended_at"))
_MESSAGE_NAMES: Final = {
    "key": ("message_id", "id"),
    "session": ("session_id",),
    "conversation": ("conversation_id",),
    "user": ("user_id",),
    "role": ("role",),
    "content": ("content",),
    "time": ("occurred_at", "timestamp", "created_at"),
    "audio_url": ("audio_url",),
    "language": ("language",),
    "metadata": ("metadata",),
}
_NEEDED: Final = ("role", "content", "time")
_TIMES: Final = frozenset(("start", "end", "time"))
_TEXT_TYPES: Final = frozenset(("text", "character varying", "character", "citext"))
_TIME_TYPES: Final = frozenset(("timestamp with time zone", "timestamp without time zone", "date"))
# Only Parley's own tables say where in its log a message lies.
_OF_PARLEY: Final = "log_offset"

Types = Mapping[str, str]
"""The columns of a table by name, each with its type as PostgreSQL calls it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The column for each purpose, by table; a purpose without a column is left out.

    `texts` are the columns for times that hold texts.
    """

    sessions: Mapping[str, str]
    messages: Mapping[str, str]
    text_times: frozenset[str] = frozenset()

    def found(self) -> list[str]:
        """What a person is told of it, a line for each table."""
        return [
            f"{SESSIONS}: {_told(self.sessions, tuple(_SESSION_NAMES))}",
            f"{MESSAGES}: {_told(self.messages, tuple(_MESSAGE_NAMES))}",
        ]


def layout_of(sessions: Types, messages: Types, referenced: str | None) -> Layout:
    """The layout of two tables; raises UserError where they are no tracker's.

    `referenced` is the column of the sessions that a foreign key of the messages names.
    """
    if _OF_PARLEY in messages:
        raise UserError(
            "These tables are Parley's own.",
            "Move conversations between installations with `parley export messages` and "
            "`parley import jsonl`.",
        )
    span = _span(sessions)
    session_columns = {
        "key": _session_key(sessions, messages, referenced),
        "start": span[0],
        **({"end": span[1]} if span[1] in sessions else {}),
        **_present(_SESSION_NAMES, sessions),
    }
    message_columns = _present(_MESSAGE_NAMES, messages)
    for purpose in _NEEDED:
        if purpose not in message_columns:
            raise _no_column(MESSAGES, _MESSAGE_NAMES[purpose], messages)
    if "session" not in message_columns and "conversation" not in message_columns:
        raise _no_column(MESSAGES, ("session_id", "conversation_id"), messages)
    texts = _text_times(SESSIONS, session_columns, sessions)
    texts |= _text_times(MESSAGES, message_columns, messages)
    return Layout(session_columns, message_columns, texts)


def _present(names: Mapping[str, Sequence[str]], columns: Types) -> dict[str, str]:
    found = {purpose: _first(several, columns) for purpose, several in names.items()}
    return {purpose: column for purpose, column in found.items() if column is not None}


def _first(names: Sequence[str], columns: Types) -> str | None:
    return next((one for one in names if one in columns), None)


def _span(sessions: Types) -> tuple[str, str]:
    for span in _SPANS:
        if span[0] in sessions:
            return span
    raise _no_column(SESSIONS, [start for start, _ in _SPANS], sessions)


def _session_key(sessions: Types, messages: Types, referenced: str | None) -> str:
    """The column that the messages' session_id names."""
    if referenced is not None:
        return referenced
    named = [one for one in ("session_id", "id") if one in sessions]
    if not named:
        raise _no_column(SESSIONS, ("session_id", "id"), sessions)
    # With both, the one of the messages' own type: a number names no text.
    same = [one for one in named if sessions[one] == messages.get("session_id")]
    return (same or named)[0]


def _text_times(table: str, columns: Mapping[str, str], types: Types) -> frozenset[str]:
    texts = set()
    for purpose in sorted(_TIMES & columns.keys()):
        column = columns[purpose]
        if types[column] in _TEXT_TYPES:
            texts.add(f"{table}.{purpose}")
        elif types[column] not in _TIME_TYPES:
            raise UserError(
                f"{table}.{column} is {types[column]}, which is no time.",
                "Make a view of the same name in a schema of its own, in which it is a timestamp, "
                "and name that with --schema.",
            )
    return frozenset(texts)


def _no_column(table: str, names: Sequence[str], columns: Types) -> UserError:
    return UserError(
        f"{table} has no column {' or '.join(names)}; it has {', '.join(sorted(columns))}.",
        "Make a view of the same name in a schema of its own, with that column, and name it with "
        "--schema.",
    )


def _told(columns: Mapping[str, str], purposes: Sequence[str]) -> str:
    used = ", ".join(
        column
        if purpose == column.removesuffix("_id") or purpose == column
        else f"{column} ({purpose})"
        for purpose, column in columns.items()
    )
    missing = ", ".join(one for one in purposes if one not in columns)
    return f"{used}{f'; no {missing}' if missing else ''}"
