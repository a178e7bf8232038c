"""Reads a dead letter whole, and what the tables say about what would become of it."""

from collections.abc import Sequence
from typing import Any, Final

from parley import clock
from parley.cli.dead_letters.choosing import SQL, Row, unknown
from parley.cli.dead_letters.new_record import Letter, refusal
from parley.cli.facts import CONSUMERS
from parley.codec import InvalidRecord, LogRecord, body_digest, decode_event
from parley.db.headers import headers_from_json
from parley.db.pool import Pool
from parley.errors import UserError
from parley.events import PARTITION_WIDE
from parley.incarnations.situation import first_name
from parley.settings import Settings
from parley.topics import Topic

CONFLICT: Final = "id_conflict"
REFUSED: Final = "refused"
_READ: Final = (Topic.EVENTS, Topic.SEALS, Topic.ANALYSES, Topic.CONFIG)
# Whose consumers fill the tables.
_PERSISTER: Final = "persister"


async def read_letter(settings: Settings, pool: Pool, letter_id: int) -> tuple[Row, Letter]:
    """The row, and the record in it; raises UserError."""
    row = await pool.fetchrow(SQL["letter"], letter_id)
    if row is None:
        raise unknown(letter_id)
    return row, to_letter(settings, row, row)


async def read_letters(settings: Settings, pool: Pool, rows: Sequence[Row]) -> list[Letter]:
    """The records of rows that were chosen; raises UserError."""
    found = await pool.fetch(SQL["bytes"], [row["id"] for row in rows])
    by_id = {row["id"]: row for row in found}
    return [to_letter(settings, row, by_id[row["id"]]) for row in rows if row["id"] in by_id]


def to_letter(settings: Settings, row: Row, raw: Row) -> Letter:
    """The record of a row; raises UserError for a topic of other settings."""
    topic = topic_of(settings, row["topic"])
    if topic is None:
        raise UserError(
            f"Dead letter {row['id']} is of {row['topic']}, which these settings do not name.",
            "Is PARLEY_TOPIC_PREFIX the one of this database?",
        )
    record = LogRecord(
        row["topic"],
        row["partition"],
        row["log_offset"],
        row["append_time"],
        row["key"],
        raw["value"],
        headers_from_json(raw["headers"]),
    )
    goes_to = settings.topic(topic)
    return Letter(row["id"], topic, goes_to, row["incarnation"], row["reason"], record)


def topic_of(settings: Settings, name: str) -> Topic | None:
    """The topic of which this is the name of some incarnation; None for one of other settings."""
    wanted = first_name(name)
    return next((one for one in _READ if first_name(settings.topic(one)) == wanted), None)


def consumer_of(topic: Topic) -> str:
    """The consumer that stores the topic's records."""
    return next(name for name, read in CONSUMERS if read is topic and name.startswith(_PERSISTER))


async def objection(pool: Pool, letter: Letter) -> str | None:
    """Why a redrive would be of no use now, for a person; None where it may help."""
    error = refusal(letter, clock.now())
    if error is not None:
        return f"it would be refused again: {_words(error)}"
    if letter.topic is Topic.CONFIG:
        return "what was set since under its key would be undone: give the command for it again"
    if letter.topic is Topic.EVENTS:
        told = await _stored_already(pool, letter.record)
        if told is not None:
            return told
    if letter.reason == REFUSED and await _is_word_pending(pool, letter):
        return "that it was refused is not in the log yet, and would drop the new record: wait"
    return None


def _words(error: InvalidRecord) -> str:
    return f"{error.reason} ({error.detail})" if error.detail else error.reason


async def _stored_already(pool: Pool, record: LogRecord) -> str | None:
    event = decode_event(record)
    if isinstance(event.body, PARTITION_WIDE):
        return None
    stored = await pool.fetchrow(SQL["stored_event"], event.tenant_id, event.event_id)
    if stored is None:
        return None
    place = f"{stored['partition']}/{stored['log_offset']}"
    if body_digest(stored["value"]) == body_digest(record.value or b""):
        return f"the same event is stored already, from {place}"
    return (
        f"it would be refused again: {CONFLICT} (other content of this id is stored, from {place})"
    )


async def _is_word_pending(pool: Pool, letter: Letter) -> bool:
    is_pending: bool = await pool.fetchval(
        SQL["is_word_pending"], consumer_of(letter.topic), letter.goes_to, letter.record.partition
    )
    return is_pending


async def outcome(pool: Pool, letter: Letter, row: Row) -> str:
    """What became of the record that a letter was redriven as."""
    found: Any = await pool.fetchrow(
        SQL["redriven_outcome"],
        consumer_of(letter.topic),
        row["redriven_incarnation"],
        row["redriven_partition"],
        row["redriven_offset"],
    )
    if found["again_id"] is not None:
        return f"a dead letter again: {found['again_id']}"
    if found["next_offset"] is None:
        return "it lies in a former topic, which is read no more"
    if found["next_offset"] <= row["redriven_offset"]:
        return "not read yet"
    return "read and not refused"
