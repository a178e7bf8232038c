"""One event on its way into the log, and what becomes of it."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from parley.codec import Header
from parley.codec.events import EVENT_HEADERS
from parley.log.producer import Appended, overhead_of
from parley.position import Position
from services.gateway.core.refusals import Code, Refused

RETRY_AFTER_MS: Final = 1_000
# As of `size_of`: all have the same headers, but for the trace, which is not counted.
_OVERHEAD_BYTES: Final = overhead_of(EVENT_HEADERS)


class Recorded(NamedTuple):
    """An event that is durable, and where it lies."""

    event_id: str
    position: Position


Outcome = Recorded | Refused
# Told of what was appended: the partition, the submissions in their order, and where they lie.
Written = Callable[[int, "Sequence[Submission]", Sequence[Appended]], None]
# Called once, from the loop and not from within the call that submitted; it must not raise.
Then = Callable[[Outcome], None]


class Submission:
    """A record of the events topic, and who wants to know what became of it.

    `then` is None once that was told: a record that was given up may still be under way. `kind`
    and `user_id` are what a first look at the value would tell; without a kind it is not known.
    """

    __slots__ = (
        "deadline_s",
        "event_id",
        "headers",
        "key",
        "kind",
        "size",
        "submitted_s",
        "then",
        "topic",
        "user_id",
        "value",
    )

    def __init__(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        event_id: str,
        submitted_s: float,
        deadline_s: float,
        then: Then,
        *,
        kind: str | None = None,
        user_id: str = "",
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.event_id = event_id
        self.submitted_s = submitted_s
        self.deadline_s = deadline_s
        self.then: Then | None = then
        self.kind = kind
        self.user_id = user_id
        self.headers: tuple[Header, ...] = EVENT_HEADERS
        # The most bytes that it takes in a batch.
        self.size = len(value) + len(key) + _OVERHEAD_BYTES


def not_durable() -> Refused:
    """What is answered where Kafka does not acknowledge."""
    return Refused(
        Code.NOT_DURABLE,
        "Kafka has not acknowledged it: the same id may be sent again",
        RETRY_AFTER_MS,
    )


def overloaded() -> Refused:
    """What is answered where too much waits for Kafka already."""
    return Refused(
        Code.OVERLOADED, "too many events wait for Kafka's acknowledgement", RETRY_AFTER_MS
    )
