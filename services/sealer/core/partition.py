"""The fold of one partition: for every record, in order, what is due closes, then it is applied.

Decided here, where the rule leaves it open:
- The cause says what closed this revision: a cap, a command and an end come before `late` (it was
  sealed before, or swallows what was), `late` before `import`, `import` before `idle`.
- A seal's `decided_offset` is the last record that was applied: for what is due that is the one
  before the record that moved the time, so the members are the messages within the bounds at it.
- A session that settles takes effect at its deadline, not at the record that showed it: the same
  as if ticks had come in time.
- RecordRejected drops a message or a revision by its id and offset: a refused copy of a known
  message drops nothing. Other bodies are not undone. It looks through all of memory, for it names
  no conversation and is rare.
"""

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Final

from parley.events import (
    Event,
    ImportFinished,
    RecordRejected,
    RuleActivated,
    Said,
)
from parley.rules import RULES
from services.sealer.core import (
    closing,
    ends,
    forgetting,
    imports,
    recalling,
    saving,
    talking,
)
from services.sealer.core.asleep import Asleep
from services.sealer.core.conversation import Conversation
from services.sealer.core.facts import Fact, as_fact
from services.sealer.core.import_progress import ImportProgress
from services.sealer.core.records import (
    Changes,
    ConversationKey,
    History,
    Outline,
    Snapshot,
)
from services.sealer.core.sessions import Session
from services.sealer.core.state import Decision, PartitionState
from services.sealer.core.wanting import Wants
from services.sealer.core.window import Window

# So many decisions that no pause comes.
MANY: Final = sys.maxsize

# A fact, None for an invalid record; when the broker appended it; its offset.
Observed = tuple[Fact | None, datetime, int]


class UnknownRule(Exception):
    """The log asks for a rule that this release does not know: the partition stops."""


class PartitionSealer:
    """Folds one partition's records into seals; the same log always gives the same seals.

    Memory holds what is open, but for what sleeps in the tables, and what `recall` brings back of
    the rest. Between `changes`, which a transaction has written, and the next
    `recall` call `forget`; the tables must hold all changes when something is recalled from them.
    """

    def __init__(self, incarnation: str, partition: int) -> None:
        self._state = PartitionState(incarnation, partition)
        self._asleep = Asleep()

    @property
    def watermark(self) -> datetime:
        """The running maximum of append times."""
        return self._state.watermark

    @property
    def applied_offset(self) -> int:
        """The last record that has had all its effects."""
        return self._state.offset

    @property
    def open_windows(self) -> int:
        """How many segments are open, in memory or asleep."""
        return self._state.open_count + self._asleep.window_count

    def observe(self, fact: Fact | None, append_time: datetime, offset: int) -> list[Decision]:
        """Fold one record in; None is an invalid one, which only moves the time.

        Returns what is decided, in the order of publication. Raises UnknownRule.
        """
        return self.observe_all(((fact, append_time, offset),))

    def observe_all(self, records: Iterable[Observed]) -> list[Decision]:
        """The same of many, one after the other."""
        return list(chain.from_iterable(self.observing(records, at_once=MANY)))

    def observing(self, records: Iterable[Observed], at_once: int) -> Iterator[list[Decision]]:
        """The same, with a pause after each `at_once` decisions: one record may close very many.

        Yields what was decided since the last pause. At a pause the sealer may be asked anything,
        and whoever stops there goes on later with the record after `applied_offset`.
        """
        state = self._state
        for fact, append_time, offset in records:
            # What is due was decided before this record: members are of all records up to then.
            state.offset = offset - 1
            state.watermark = max(state.watermark, append_time)
            if state.queue.may_be_due(state.watermark):
                yield from self._close_due(at_once)
            state.offset = offset
            if fact is not None:
                self._apply(fact)
        yield state.take_decisions()

    def next_deadline(self) -> datetime | None:
        """The watermark at which something falls due next."""
        deadlines = (self._state.queue.next_deadline(), self._asleep.next_deadline())
        return min((one for one in deadlines if one is not None), default=None)

    def take_reached(self) -> list[datetime]:
        """The deadlines of the windows that closed by time since the last call."""
        reached, self._state.reached = self._state.reached, []
        return reached

    def wants(self, facts: Iterable[Fact]) -> Wants:
        """What must be recalled before these are observed."""
        return recalling.wants(self._state, facts)

    def recall(self, history: History) -> None:
        """Take in what the tables hold of a conversation; what memory knows is newer."""
        recalling.recall(self._state, history)

    def changes(self) -> Changes:
        """What differs since the last call, to be written in one transaction."""
        return saving.changes(self._state)

    def forget(self) -> None:
        """Keep what is open, each conversation's last segment in outline, and no more.

        Of imports' conversations that have open sessions only, no more than when they are due.
        """
        for due, key in forgetting.forget(self._state):
            self._asleep.add(due, key)

    def snapshot(self) -> Snapshot:
        """What is awake; after `forget`, the same as the tables give for a restore of that."""
        return saving.snapshot(self._state)

    @classmethod
    def restore(cls, incarnation: str, partition: int, snapshot: Snapshot) -> "PartitionSealer":
        """A sealer as it was when the snapshot was taken."""
        sealer = cls(incarnation, partition)
        saving.restore(sealer._state, snapshot)
        return sealer

    @classmethod
    def asleep(cls, incarnation: str, partition: int, outline: Outline) -> "PartitionSealer":
        """A sealer whose conversations are still in the tables; call `waking` and `wake` first."""
        sealer = cls(incarnation, partition)
        saving.restore_partition(sealer._state, outline.partition)
        sealer._asleep = Asleep.of(outline)
        return sealer

    def waking(
        self, facts: Iterable[Fact], until: datetime, more: Iterable[ConversationKey] = ()
    ) -> list[ConversationKey]:
        """What sleeps and may be touched by these facts, or by time up to `until`; and of `more`.

        They no longer count as asleep: `wake` must follow before anything is recalled.
        """
        named = ((one.tenant_id, one.conversation_id) for one in facts if one.conversation_id)
        return self._asleep.take(chain(named, more), max(until, self._state.watermark))

    def wake(self, snapshot: Snapshot) -> None:
        """Take in what the tables hold of conversations that slept."""
        saving.restore_conversations(self._state, snapshot)

    # --- time ---------------------------------------------------------------------------------

    def _close_due(self, at_once: int) -> Iterator[list[Decision]]:
        state = self._state
        while (popped := state.queue.pop_due(state.watermark)) is not None:
            due, item = popped
            if isinstance(item, Window):
                state.reached.append(due)
                conversation = state.conversation(item.key)
                closing.close(state, conversation, item, item.due_cause())
            elif isinstance(item, Session):
                self._settle(item, due)
            elif isinstance(item, ImportProgress):
                imports.finish(state, item.import_id, due)
            if len(state.decisions) >= at_once:
                yield state.take_decisions()

    def _settle(self, session: Session, due: datetime) -> None:
        state = self._state
        conversation = state.conversation(session.key)
        state.decisions.append(session.settle(state.decided()))
        conversation.count_session(session, -1)
        state.unsaved.sessions[session] = None
        ends.session_closed(state, conversation, session, due)

    # --- records ------------------------------------------------------------------------------

    def _apply(self, fact: Fact) -> None:
        if type(fact) is Event:
            fact = as_fact(fact)
        if fact.import_id is not None:
            imports.note(self._state, fact, fact.import_id)
        if isinstance(fact, Said):
            talking.hear(self._state, fact)
        elif fact.conversation_id:
            talking.apply(self._state, fact)
        else:
            self._apply_to_partition(fact)

    def _apply_to_partition(self, event: Event) -> None:
        if isinstance(event.body, ImportFinished) and event.import_id is not None:
            imports.finish(self._state, event.import_id, self._state.watermark)
        elif isinstance(event.body, RuleActivated):
            self._activate(event.body)
        elif isinstance(event.body, RecordRejected):
            self._reject(event.body)

    def _activate(self, body: RuleActivated) -> None:
        if body.rule_version not in RULES:
            raise UnknownRule(f"the log asks for version {body.rule_version} of the sealing rule")
        self._state.rule_version = body.rule_version

    def _reject(self, body: RecordRejected) -> None:
        for conversation in list(self._state.conversations.values()):
            if body.rejected_event_id not in conversation.where:
                continue
            window = conversation.window_of(body.rejected_event_id)
            if window is None:
                _drop_early(self._state, conversation, body)
            elif window.members is not None:
                _drop(self._state, conversation, window, body)


def _drop_early(state: PartitionState, conversation: Conversation, body: RecordRejected) -> None:
    """A revision that waits for its message was refused."""
    entry = conversation.drop_early(body.rejected_event_id, body.rejected_offset)
    if entry is not None:
        state.touched[conversation.key] = None
        state.unsaved.note_dropped(conversation.key, entry.event_id)


def _drop(
    state: PartitionState, conversation: Conversation, window: Window, body: RecordRejected
) -> None:
    event_id = body.rejected_event_id
    entry = window.loaded().get(event_id) or window.revisions.get(event_id)
    if entry is None or entry.offset != body.rejected_offset:
        return
    del conversation.where[event_id]
    for orphan in window.drop(event_id):
        del conversation.where[orphan.event_id]
        conversation.know_stray(orphan.event_id)
        conversation.early.setdefault(event_id, []).append(orphan)
        state.unsaved.note_loose(conversation.key, orphan)
    state.touched[conversation.key] = None
    state.unsaved.note_rewritten(window)
    # Before it was this segment's it may have been stored as a revision that waits.
    state.unsaved.note_dropped(conversation.key, event_id)
    state.reopen(window)
    window.last_arrival = state.watermark
    state.changed(window)
