"""Records that follow from a dead letter: its copy on the topic, and the word to every consumer."""

from typing import Final

from parley.codec import Outgoing, encode_event
from parley.codec.events import EVENT_HEADERS
from parley.db.fence import Fence
from parley.events import Event, RecordRejected
from parley.ids import derived_id
from services.persister.store.accounts import SERVICE, DeadLetter

CONFLICT: Final = "id_conflict"
REFUSED: Final = "refused"

# A record may be as long as the broker takes, and its copy has headers besides. What is longer
# goes without its value: the row in dead_letters has it whole.
MAX_COPIED_BYTES: Final = 900_000


def dead_letter_record(letter: DeadLetter, topic: str) -> Outgoing:
    """The raw record on the dead letters' topic, with where it came from and why."""
    record = letter.record
    value = record.value or b""
    is_whole = len(value) + len(record.key or b"") <= MAX_COPIED_BYTES
    headers = {
        "parley-reason": letter.reason,
        "parley-service": SERVICE,
        "parley-source-topic": record.topic,
        "parley-source-partition": str(record.partition),
        "parley-source-offset": str(record.offset),
    }
    if not is_whole:
        headers["parley-omitted-bytes"] = str(len(value))
    return Outgoing(
        topic,
        record.key if is_whole else None,
        value if is_whole else b"",
        tuple((name, text.encode()) for name, text in headers.items()),
    )


def rejection(letter: DeadLetter, event_id: str, fence: Fence) -> Outgoing:
    """RecordRejected, in the refused record's own partition, so that every consumer drops it."""
    record = letter.record
    position = (fence.key.topic, fence.incarnation, str(record.partition), str(record.offset))
    event = Event(
        event_id=derived_id("rejected", *position),
        body=RecordRejected(record.offset, event_id, letter.detail),
        event_time=record.broker_time,
        received_at=record.broker_time,
    )
    return Outgoing(
        fence.key.topic, None, encode_event(event), EVENT_HEADERS, partition=record.partition
    )
