"""Folds a partition twice, under the policies that its events carry and under others.

Memory holds one partition's segments with their members, twice.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from parley.events import Event, MessageRecorded
from parley.previewing.request import Stamps, stamp_of
from parley.seals import SegmentSealed
from services.sealer.core import ConversationKey, Decision, PartitionSealer
from services.sealer.core.comparing import Group, Stretch, compare


class Fold:
    """A partition's segments as they stand."""

    def __init__(self, incarnation: str, partition: int) -> None:
        self._sealer = PartitionSealer(incarnation, partition)
        self._offset = -1
        self.segments: dict[ConversationKey, dict[str, Stretch]] = {}

    def observe(self, event: Event | None, append_time: datetime, offset: int) -> None:
        """Fold one record in; raises UnknownRule."""
        self._offset = offset
        self._take(self._sealer.observe(event, append_time, offset))

    def close_all(self) -> None:
        """Let time pass until nothing is open, as if nobody said anything more."""
        while (deadline := self._sealer.next_deadline()) is not None:
            self._offset += 1
            self._take(self._sealer.observe(None, deadline, self._offset))

    def _take(self, decisions: list[Decision]) -> None:
        for one in decisions:
            if isinstance(one, SegmentSealed):
                self._note(one)

    def _note(self, seal: SegmentSealed) -> None:
        known = self.segments.setdefault((seal.tenant_id, seal.conversation_id), {})
        merged = [known.pop(one.segment_id, None) for one in seal.retracted]
        former = [one for one in (known.pop(seal.segment_id, None), *merged) if one is not None]
        # One whose every message was refused holds none that could be anywhere else.
        if seal.message_count:
            known[seal.segment_id] = Stretch(
                (seal.started_at, seal.first_event_id),
                (seal.ended_at, seal.last_event_id),
                seal.segment_id,
                seal.member_digest,
                seal.channel,
                seal.revision,
                1 + sum(one.seals for one in former),
            )


class TwoFolds:
    """The same records, before and after."""

    def __init__(self, incarnation: str, partition: int, stamps: Stamps) -> None:
        self._before = Fold(incarnation, partition)
        self._after = Fold(incarnation, partition)
        self._stamps = stamps

    def observe(self, event: Event | None, append_time: datetime, offset: int) -> None:
        """Fold one record into both; None only moves the time. Raises UnknownRule."""
        self._before.observe(event, append_time, offset)
        self._after.observe(self._stamped(event), append_time, offset)

    def finish(self) -> Iterator[tuple[ConversationKey, list[Group]]]:
        """What shares messages, by conversation; segments that are open count as sealed."""
        self._before.close_all()
        self._after.close_all()
        before, after = self._before.segments, self._after.segments
        for key in sorted(before.keys() | after.keys()):
            yield key, list(compare(before.get(key, {}).values(), after.get(key, {}).values()))

    def _stamped(self, event: Event | None) -> Event | None:
        # Of all events only messages lend their policy to a segment.
        if event is None or not isinstance(event.body, MessageRecorded):
            return event
        policy = stamp_of(self._stamps, event.tenant_id, event.channel)
        return event if policy is None else replace(event, policy=policy)
