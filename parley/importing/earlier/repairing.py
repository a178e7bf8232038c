"""Puts a session of an earlier tracker right, with its messages: pure, one message at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from parley.importing.earlier.old_rows import OldMessage, OldSession, Repair, Repairs

_US_PER_S: Final = 1_000_000
# Trackers rounded a duration either way.
_ROUNDING_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """A session as it comes in; `end_us` is None where it never ended, as far as anybody knows."""

    session_id: str
    conversation_id: str
    user_id: str
    start_us: int
    end_us: int | None
    metadata_json: str


class NoStart(Exception):
    """A session of which nothing says when it began: no start, no end, no message."""


@dataclass(slots=True)
class SessionRepair:
    """One session, as its row and its messages in their order tell it.

    `row` is None where messages name a session that is not there.
    """

    session_id: str
    row: OldSession | None
    repairs: Repairs = field(default_factory=Counter)
    _first_us: int | None = None
    _last_us: int | None = None
    _user_id: str = ""
    _conversation_id: str = ""

    def observe(self, message: OldMessage) -> OldMessage:
        """The message as it comes in: with its conversation, and its session's user."""
        if self._first_us is None:
            self._first_us = message.occurred_us
        self._last_us = message.occurred_us
        self._user_id = self._user_id or message.user_id
        self._conversation_id = self._conversation_id or message.conversation_id
        user_id = message.user_id
        if not user_id and self.row is not None and self.row.user_id:
            self.repairs[Repair.NO_USER_ON_MESSAGE] += 1
            user_id = self.row.user_id
        conversation_id = message.conversation_id or (self.row and self.row.conversation_id)
        return replace(message, user_id=user_id, conversation_id=conversation_id or self.session_id)

    def span(self) -> Span:
        """The session, after its last message; raises NoStart."""
        if self.row is None:
            return self._from_messages()
        start_us = self._start(self.row)
        end_us = self._end(self.row, start_us)
        if end_us is not None and end_us < start_us:
            self.repairs[Repair.ENDS_BEFORE_START] += 1
            start_us = min((start_us, *self._talk_us()))
            end_us = max((start_us, *self._talk_us()))
        self._compare_duration(self.row, start_us, end_us)
        return Span(
            self.session_id,
            self.row.conversation_id or self._conversation_id or self.session_id,
            self._user(self.row),
            start_us,
            end_us,
            self.row.metadata_json,
        )

    def _from_messages(self) -> Span:
        """The session that messages name: from the first of them to the last."""
        if self._first_us is None:
            raise NoStart
        self.repairs[Repair.SESSION_MISSING] += 1
        conversation_id = self._conversation_id or self.session_id
        return Span(
            self.session_id, conversation_id, self._user_id, self._first_us, self._last_us, ""
        )

    def _start(self, row: OldSession) -> int:
        if row.start_us is not None:
            return row.start_us
        before_end = None
        if row.end_us is not None:
            before_end = row.end_us - _us(row.duration_s)
        known = [one for one in (self._first_us, before_end) if one is not None]
        if not known:
            raise NoStart
        self.repairs[Repair.NO_START] += 1
        return min(known)

    def _end(self, row: OldSession, start_us: int) -> int | None:
        if row.end_us is not None:
            self.repairs[Repair.ACTIVE_THOUGH_ENDED] += row.is_active
            return row.end_us
        if row.is_active and not row.duration_s:
            # Nobody ended it: the sealer's rule settles it at its last event.
            return None
        self.repairs[Repair.NO_END] += 1
        if row.duration_s:
            return start_us + _us(row.duration_s)
        return max((start_us, *self._talk_us()))

    def _talk_us(self) -> Iterator[int]:
        """When the first and the last message were; nothing without messages."""
        if self._first_us is not None and self._last_us is not None:
            yield from (self._first_us, self._last_us)

    def _compare_duration(self, row: OldSession, start_us: int, end_us: int | None) -> None:
        if end_us is None or not row.has_duration:
            return
        if row.duration_s is None:
            self.repairs[Repair.NO_DURATION] += 1
        elif abs(row.duration_s - (end_us - start_us) / _US_PER_S) > _ROUNDING_S:
            self.repairs[Repair.WRONG_DURATION] += 1

    def _user(self, row: OldSession) -> str:
        if row.user_id or not self._user_id:
            return row.user_id
        self.repairs[Repair.NO_USER_ON_SESSION] += 1
        return self._user_id


def _us(seconds: float | None) -> int:
    return round((seconds or 0.0) * _US_PER_S)
