"""Where an agent's threads hand over what was said, and the tracker's thread takes it."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from parley.client.sending import InvalidArgument, Outgoing
from parley.client.spool.records import SpooledSession
from parley.client.spool.segment import Segment

MAX_ID_BYTES: Final = 512


class Keeper(Protocol):
    """A file that holds a line of an entry until it is settled."""

    def settle(self, frame_id: str) -> None:
        """The line of this frame is done with."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its agent knows it; `encoded` is how it stands in the spool."""

    about: SpooledSession
    encoded: bytes


@dataclass(slots=True)
class Entry:
    """A message, or the end of a session, that was accepted and is not settled.

    `number` counts from 1; those of earlier runs have 0.
    """

    number: int
    session: Session
    frame: Outgoing
    accepted_s: float
    is_end: bool = False
    keeper: "Segment | Keeper | None" = None

    @property
    def is_counted(self) -> bool:
        """Whether it is one of this run's messages, as the statistics count them."""
        return self.number > 0 and not self.is_end


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody waits until all entries up to this number are settled."""

    number: int
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Desk:
    """What was accepted. Callers change it under `lock`; the tracker's thread only takes away.

    That thread holds the lock for moments only, and never while it waits for anything: so a
    caller is never held up by the network or the disk.
    """

    # Taken again by the same thread where a signal's handler or a finalizer tracks something.
    lock: "threading.RLock" = field(default_factory=threading.RLock)
    sessions: dict[str, Session] = field(default_factory=dict)
    open: dict[str, Entry] = field(default_factory=dict)
    ending: dict[str, Entry] = field(default_factory=dict)
    # As long as the two above and the sessions: they are what is bounded.
    queue: deque[Session | Entry | Wait] = field(default_factory=deque)
    last_number: int = 0
    is_closed: bool = False
    accepted: int = 0
    refused_overflow: int = 0
    refused_closed: int = 0
    dropped_invalid: int = 0
    not_spooled: int = 0

    def settle(self, entry: Entry) -> None:
        """It is done with; by the tracker's thread."""
        (self.ending if entry.is_end else self.open).pop(entry.frame.frame_id, None)

    def is_settled_up_to(self, number: int) -> bool:
        """Whether everything that was accepted until then is settled."""
        with self.lock:
            oldest = [next(iter(one.values()), None) for one in (self.open, self.ending)]
        return all(entry is None or entry.number > number for entry in oldest)


def session_of(
    handle: str,
    conversation_id: str,
    client_id: str,
    user_id: str,
    channel: str,
    metadata: Mapping[str, Any] | None,
) -> Session:
    """A session as its agent describes it; raises InvalidArgument."""
    for name, text in (
        ("conversation_id", conversation_id),
        ("user_id", user_id),
        ("channel", channel),
    ):
        if not isinstance(text, str) or len(text.encode()) > MAX_ID_BYTES:
            raise InvalidArgument(name)
    if not conversation_id:
        raise InvalidArgument("conversation_id")
    metadata_json = orjson.dumps(dict(metadata)).decode() if metadata else ""
    about = SpooledSession(handle, conversation_id, client_id, user_id, channel, metadata_json)
    return Session(about, about.encode())
