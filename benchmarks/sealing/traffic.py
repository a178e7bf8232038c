"""The traffic that every peer reads: talks of many conversations, as a day's log holds them.

The records are those of a copied topic: all say in a header when they were first appended, and
that is their event time too. So a day is read in seconds, the topic keeps the broker's append
times (with old ones its retention would delete it), and every peer sees the same times.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

from parley.codec import encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME, Header
from parley.events import Content, Event, MessageRecorded, Policy, Role, Tick
from parley.ids import derived_id

EVENTS: Final = 500_000
CONVERSATIONS: Final = 20_000
TEXT_CHARS: Final = 400
TENANT: Final = "default"
GAP_MS: Final = Policy().idle_gap // timedelta(milliseconds=1)
GRACE_MS: Final = Policy().grace // timedelta(milliseconds=1)

_BEGAN_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DAY_MS: Final = 24 * 60 * 60 * 1_000
# Two talks a conversation, at any time of the day; half a minute or so between two messages.
_EVENTS_EACH: Final = EVENTS // CONVERSATIONS
_LEAST_TALK: Final = 5
_MEAN_PAUSE_MS: Final = 40_000
_LETTERS: Final = "etaoin shrdlu cmfwyp vbgkqjxz"


class Spoken(NamedTuple):
    """One message: when, in which conversation, in which of its talks."""

    at_ms: int
    conversation: int
    talk: int


class Segment(NamedTuple):
    """What a peer should find: one result for each, whatever it calls it."""

    conversation: str
    first_ms: int
    last_ms: int
    messages: int


class Record(NamedTuple):
    """A message as a record, ready to be published."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[Header, ...]


@cache
def spoken() -> tuple[Spoken, ...]:
    """All messages in the order of the log; the same each time."""
    chance = random.Random(20_260_101)  # noqa: S311 - the same each time
    began_ms = int(_BEGAN_AT.timestamp() * 1_000)
    found = []
    for conversation in range(CONVERSATIONS):
        first_talk = chance.randint(_LEAST_TALK, _EVENTS_EACH - _LEAST_TALK)
        for talk, messages in enumerate((first_talk, _EVENTS_EACH - first_talk)):
            at_ms = began_ms + chance.randrange(_DAY_MS)
            for _ in range(messages):
                at_ms += 1 + int(chance.expovariate(1 / _MEAN_PAUSE_MS))
                found.append(Spoken(at_ms, conversation, talk))
    return tuple(sorted(found))


@cache
def segments() -> frozenset[Segment]:
    """The session windows of the traffic, by the rule's own words: exactly one gap later joins."""
    times: dict[int, list[int]] = defaultdict(list)
    for one in spoken():
        times[one.conversation].append(one.at_ms)
    found = []
    for conversation, moments in times.items():
        stretch = [moments[0]]
        for moment in moments[1:]:
            if moment - stretch[-1] > GAP_MS:
                found.append(_segment(conversation, stretch))
                stretch = []
            stretch.append(moment)
        found.append(_segment(conversation, stretch))
    return frozenset(found)


@cache
def sessions() -> int:
    """How many sessions nobody ends: the sealer says of each that it has settled."""
    return len({(one.conversation, one.talk) for one in spoken()})


def partition_of(one: Spoken, partitions: int) -> int:
    """Conversations spread over the partitions, the same for every peer."""
    return one.conversation % partitions


def messages(topic: str, partitions: int) -> Iterator[tuple[int, Record]]:
    """Every message as a record, with its partition."""
    chance = random.Random(20_260_102)  # noqa: S311 - the same each time
    letters = "".join(chance.choices(_LETTERS, k=50_000))
    for one in spoken():
        start = chance.randrange(len(letters) - TEXT_CHARS)
        event_id = str(UUID(int=chance.getrandbits(128), version=4))
        text = letters[start : start + TEXT_CHARS]
        yield partition_of(one, partitions), _message(one, event_id, text, topic)


def tick(topic: str) -> Record:
    """The last record of a partition: time passes, and closes every window.

    Its key is no conversation's; to the peers it is a message of one that they never close.
    """
    # Quix Streams waits for two gaps.
    at_ms = spoken()[-1].at_ms + 3 * GAP_MS
    at = _moment(at_ms)
    event = Event(derived_id("tick", TENANT), Tick(at), event_time=at, received_at=at)
    return Record(topic, b"tick", encode_event(event), _headers(at_ms))


def _message(one: Spoken, event_id: str, text: str, topic: str) -> Record:
    at = _moment(one.at_ms)
    conversation_id = _name(one.conversation)
    user_id = f"user-{one.conversation:05}"
    event = Event(
        event_id=event_id,
        body=MessageRecorded(Role.USER, Content(text)),
        event_time=at,
        received_at=at,
        tenant_id=TENANT,
        conversation_id=conversation_id,
        session_id=f"session-{one.conversation:05}-{one.talk}",
        user_id=user_id,
        sender=user_id,
        client_id="client-1",
        client_message_id=event_id,
        connection_id=f"connection-{one.conversation:05}-{one.talk}",
        gateway_id="gateway-1",
        channel="web",
        occurred_at=at,
        sent_at=at,
    )
    key = event_key(TENANT, conversation_id)
    return Record(topic, key, encode_event(event), _headers(one.at_ms))


def _segment(conversation: int, moments: list[int]) -> Segment:
    return Segment(_name(conversation), moments[0], moments[-1], len(moments))


def _name(conversation: int) -> str:
    return f"conversation-{conversation:05}"


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, UTC)


def _headers(at_ms: int) -> tuple[Header, ...]:
    return (*EVENT_HEADERS, (APPEND_TIME, str(at_ms * 1_000).encode()))
