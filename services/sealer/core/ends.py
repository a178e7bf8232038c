"""Explicit ends and commands: where they cut, what moves or lifts a cut, what closes.

Decided here, where the rule leaves it open:
- The ended sessions of a cut are those of its segment's members and the one that ended last.
- R later is fixed when the end comes; messages that still join do not put it off. Until then an
  end may be lifted; a closed segment's cut is final.
- A message of an ended session moves the cut only where the gap would join it to the segment.
  A message of another session that sorts before the cut lies before it: order decides.
- Where a cut already follows the conversation's last member, an end adds nothing. Where there is
  no member, there is nothing to cut. An already closed segment is cut, but not reopened.
- Any later generation of an ended session lifts, whatever the event that brings it.
- StateRequested to ENDED is an end of all sessions at once that none of them lifts; the sealer
  does not fold states, so it takes each such request as granted. An imported one changes nothing.
- An imported end cuts after its own time where that lies within the reach of a segment whose
  earliest member seals on end, or after that segment's last member where it lies inside.
- A live end, or the settling, of a session that an import began cuts nothing: its stretch is
  sealed by its import.
- SealForced cuts after the last member, unless an import holds its segment: then after the last
  member of what the command closed.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from parley.events import Event
from parley.seals import SealCause
from services.sealer.core import closing, joining
from services.sealer.core.conversation import Conversation
from services.sealer.core.records import EndRecord, Entry
from services.sealer.core.sessions import Session
from services.sealer.core.state import PartitionState
from services.sealer.core.window import Window

# Sorts after every event id of the same moment.
LAST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def session_closed(
    state: PartitionState, conversation: Conversation, session: Session, at: datetime
) -> None:
    """A session ended or settled, as of the watermark `at`: its conversation may be over."""
    if not session.is_imported and not conversation.has_others_open(session):
        cut_after_talk(state, conversation, End(at, session.session_id))


def imported_session_ended(
    state: PartitionState, conversation: Conversation, session: Session, ended_at: datetime
) -> None:
    """An imported end cuts at its own event time."""
    if not conversation.has_others_open(session):
        _cut_at(state, conversation, ended_at)


def session_reopened(state: PartitionState, conversation: Conversation, session: Session) -> None:
    """A session goes on: what its end cut, and did not close yet, is one again."""
    for window in [one for one in conversation.windows if _is_lifted_by(one, session)]:
        _lift(state, conversation, window)


@dataclass(frozen=True, slots=True)
class End:
    """The end of a conversation's talk, as of the watermark `at`; final when by ENDED."""

    at: datetime
    session_id: str = ""
    is_final: bool = False


def cut_after_talk(state: PartitionState, conversation: Conversation, end: End) -> None:
    """Cut after the last member and close its segment R later, where ends seal."""
    if not conversation.windows:
        return
    window = conversation.windows[-1]
    if window.limit is not None:
        if end.is_final:
            _make_final(state, window)
        return
    if not (end.is_final or window.policy.seal_on_end):
        return
    place = window.last
    state.place_cut(conversation, place)
    if window.is_open:
        session_ids = window.session_ids | ({end.session_id} - {""})
        closes_at = end.at + window.policy.grace
        window.end = EndRecord(closes_at, tuple(sorted(session_ids)), not end.is_final)
        window.cut = place
        state.changed(window)


def _make_final(state: PartitionState, window: Window) -> None:
    """What a session's end has cut is cut for good."""
    if window.end is not None:
        window.end = replace(window.end, is_liftable=False)
        state.changed(window)


def force(state: PartitionState, conversation: Conversation, event: Event) -> None:
    """Close all that no import holds, and cut after the last member."""
    if not _is_news(state, conversation, event):
        return
    closing_now = [one for one in conversation.windows if one.is_open and not one.held_by]
    last = next((one for one in conversation.windows[-1:] if not one.held_by), None)
    last = last or next(iter(closing_now[-1:]), None)
    if last is not None and not conversation.is_bounded(last):
        state.place_cut(conversation, last.last)
        last.cut = last.last if last.is_open else None
    for window in closing_now:
        closing.close(state, conversation, window, SealCause.FORCED)


def end_state(state: PartitionState, conversation: Conversation, event: Event) -> None:
    """The state machine went to ENDED: an end, whatever the policy says."""
    if event.import_id is None and _is_news(state, conversation, event):
        cut_after_talk(state, conversation, End(state.watermark, is_final=True))


def _is_news(state: PartitionState, conversation: Conversation, event: Event) -> bool:
    if event.event_id in conversation.where:
        return False
    conversation.know_stray(event.event_id)
    entry = Entry(event.event_id, event.event_time, state.offset)
    state.unsaved.note_loose(conversation.key, entry)
    return True


def _is_lifted_by(window: Window, session: Session) -> bool:
    end = window.end
    return end is not None and end.is_liftable and session.session_id in end.session_ids


def _lift(state: PartitionState, conversation: Conversation, window: Window) -> None:
    if window.cut is not None:
        state.lift_cut(conversation, window.cut)
    window.end = window.cut = None
    joining.chain(state, conversation, conversation.index_of(window))


def _cut_at(state: PartitionState, conversation: Conversation, moment: datetime) -> None:
    # All that was said at this very moment was said before the end.
    place = (moment, LAST_ID)
    index = conversation.index_at(place)
    window = conversation.windows[index] if index >= 0 else None
    if window is None or window.reach < moment or not window.policy.seal_on_end:
        return
    place = max(place, window.last)
    cut = conversation.next_cut(window.last)
    if cut is not None and cut <= place:
        return
    state.place_cut(conversation, place)
    if window.is_open:
        window.cut = place
        state.changed(window)
