"""What a tracker says of itself."""

from dataclasses import dataclass


@dataclass(slots=True)
class Books:
    """Counts that only the tracker's thread changes."""

    sent: int = 0
    resent: int = 0
    acknowledged: int = 0
    refused_by_gateway: int = 0
    reconnects: int = 0
    connected: int = 0
    recovered: int = 0
    recovered_remaining: int = 0
    spool_torn: int = 0
    last_problem: str = ""


@dataclass(frozen=True, slots=True)
class Stats:
    """A tracker's counts since its start; of messages, unless they say otherwise.

    accepted = acknowledged + refused_by_gateway + unacknowledged, of this run's own messages.
    """

    # Accepted, and not settled; `queued` of them are not on their way.
    unacknowledged: int
    queued: int
    capacity: int
    accepted: int
    sent: int
    resent: int
    acknowledged: int
    # Refused for good by the gateway, by a full buffer or spool, after close(), and as arguments.
    refused_by_gateway: int
    refused_overflow: int
    refused_closed: int
    dropped_invalid: int
    # Lines in the spool that are not settled, those of earlier runs included.
    spooled: int
    # Accepted into memory only, because the spool could not be written.
    not_spooled: int
    # Lines of earlier runs: taken over, and cut off by the death of their program.
    recovered: int
    spool_torn: int
    # Connections now, lost ones since the start, and sessions that were not ended.
    connected: int
    reconnects: int
    open_sessions: int
    oldest_unacknowledged_seconds: float
    # The code of the last thing that went wrong, such as `unreachable` or `not_durable`.
    last_problem: str


@dataclass(frozen=True, slots=True)
class CloseReport:
    """How it ended: `unacknowledged` has the ids that nobody confirmed, by session handle.

    With a spool they are kept, and the next tracker on the same folder sends them; without one
    they are lost. `unended_sessions` are handles whose end was asked for and not confirmed.
    """

    acknowledged: int
    unacknowledged: dict[str, tuple[str, ...]]
    unended_sessions: tuple[str, ...]
    kept_in_spool: int

    @property
    def is_complete(self) -> bool:
        """Whether everything was confirmed."""
        return not self.unacknowledged and not self.unended_sessions
