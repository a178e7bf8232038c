"""What a reader of the seals topic knows: current segments, and the messages within bounds."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from parley.digests import Member, member_digest
from parley.events import Event, MessageRecorded, MessageRevised, RecordRejected
from parley.seals import SegmentSealed
from services.sealer.core import Decision, Key

ConversationKey = tuple[str, str]


@dataclass
class Reader:
    """Folds the log and the seals as the persister and the analyzer do."""

    messages: dict[ConversationKey, dict[str, tuple[Event, int]]] = field(default_factory=dict)
    revisions: dict[ConversationKey, dict[str, tuple[Event, int]]] = field(default_factory=dict)
    current: dict[str, SegmentSealed] = field(default_factory=dict)
    greatest: Counter[str] = field(default_factory=Counter)

    def record(self, event: Event | None, offset: int) -> None:
        """The lowest position of equal ids wins; a refused record is dropped."""
        if event is None:
            return
        key = (event.tenant_id, event.conversation_id)
        if isinstance(event.body, MessageRecorded):
            self.messages.setdefault(key, {}).setdefault(event.event_id, (event, offset))
        elif isinstance(event.body, MessageRevised):
            self.revisions.setdefault(key, {}).setdefault(event.event_id, (event, offset))
        elif isinstance(event.body, RecordRejected):
            self._drop(event.body)

    def _drop(self, body: RecordRejected) -> None:
        for known in (*self.messages.values(), *self.revisions.values()):
            found = known.get(body.rejected_event_id)
            if found is not None and found[1] == body.rejected_offset:
                del known[body.rejected_event_id]

    def seal(self, decision: Decision) -> None:
        """Apply a seal, after checking that it says what the messages say."""
        if not isinstance(decision, SegmentSealed):
            return
        self._check_revisions(decision)
        members = self.members(decision)
        assert len(members) == decision.message_count
        assert member_digest(members) == decision.member_digest
        for one in decision.retracted:
            assert one.merged_into == decision.segment_id
            self.current.pop(one.segment_id, None)
        self.current[decision.segment_id] = decision

    def _check_revisions(self, seal: SegmentSealed) -> None:
        known = self.current.get(seal.segment_id)
        assert seal.previous_revision == (known.revision if known else 0)
        for segment_id, revision in [
            (seal.segment_id, seal.revision),
            *((one.segment_id, one.revision) for one in seal.retracted),
        ]:
            assert revision > self.greatest[segment_id]
            self.greatest[segment_id] = revision

    def members(self, seal: SegmentSealed) -> list[Member]:
        """The messages within the bounds, with the revision that counts."""
        key = (seal.tenant_id, seal.conversation_id)
        first, last = bounds(seal)
        return [
            Member(event.event_id, self._version(key, event.event_id))
            for event, _ in self.messages.get(key, {}).values()
            if first <= (event.event_time, event.event_id) <= last
        ]

    def _version(self, key: ConversationKey, message_id: str) -> str:
        ranks = [
            (event.event_time, event.event_id)
            for event, _ in self.revisions.get(key, {}).values()
            if isinstance(event.body, MessageRevised) and event.body.target_event_id == message_id
        ]
        return max(ranks)[1] if ranks else ""

    def neighbours(self) -> Iterator[tuple[SegmentSealed, SegmentSealed]]:
        """Current segments of a conversation that follow each other."""
        ordered = sorted(
            self.current.values(),
            key=lambda one: (one.tenant_id, one.conversation_id, bounds(one)),
        )
        for left, right in pairwise(ordered):
            if (left.tenant_id, left.conversation_id) == (right.tenant_id, right.conversation_id):
                yield left, right


def bounds(seal: SegmentSealed) -> tuple[Key, Key]:
    """First and last member."""
    return (seal.started_at, seal.first_event_id), (seal.ended_at, seal.last_event_id)
