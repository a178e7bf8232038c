"""Finds the segment that a message belongs to: by the gap, between the cuts, below the caps.

Decided here, where the rule leaves it open:
- A cap is reached at its figure, by members or by (last t - first t); a bridge passes it above.
  A cap that the message itself reaches closes its segment before any bridge is looked at.
- A bridge that stops at a cap cuts after the earlier segment's greatest member and closes nothing.
- A window that a cut ends has no cap any more, whoever placed the cut.
- A message that was dropped and comes again opens another segment where the one that it opened
  first still stands, or is still to be retracted: its id is derived from that one's.
- A retraction has a revision of its own, one above the last that was sealed.
"""

from parley import ids
from parley.events import Said
from parley.seals import SealCause
from services.sealer.core import closing, imports
from services.sealer.core.conversation import Conversation
from services.sealer.core.facts import Fact
from services.sealer.core.records import Key
from services.sealer.core.state import PartitionState
from services.sealer.core.window import Window


def join(state: PartitionState, conversation: Conversation, said: Said) -> None:
    """Take a message that is not known yet into the segment that it belongs to."""
    windows = conversation.windows
    if windows and windows[-1].is_extended_by(said) and not conversation.early:
        _extend(state, conversation, windows[-1], said)
        return
    key = (said.event_time, said.event_id)
    index = conversation.index_at(key)
    earlier = conversation.windows[index] if index >= 0 else None
    if earlier is not None and _joins_end(state, conversation, earlier, said, key):
        window = earlier
    else:
        index += 1
        window = _at_front(conversation, index, said, key) or _open(state, conversation, said)
    touch(state, window, said)
    window.add(said, state.offset)
    conversation.where[said.event_id] = window
    if conversation.early:
        _take_early_revisions(conversation, window, said.event_id)
    chain(state, conversation, index)
    if said.import_id is not None:
        # After the bridges: only now is it settled how far the window reaches.
        imports.hold(state, window, said.import_id)


def _extend(state: PartitionState, conversation: Conversation, window: Window, said: Said) -> None:
    """What the rest of `join` comes to for nearly every message, at a third of the cost.

    The last window has nothing after it to bridge to, and its deadline only grows.
    """
    window.last_arrival = state.watermark
    window.extend(said, state.offset)
    conversation.where[said.event_id] = window
    state.unsaved.windows[window] = None


def touch(state: PartitionState, window: Window, fact: Fact) -> None:
    """Something of a window changes by this: it is open, and waits from now on."""
    if not window.is_open:
        window.loaded()
        state.reopen(window)
    if fact.import_id is None:
        window.last_arrival = state.watermark
    else:
        window.is_imported = True


def chain(state: PartitionState, conversation: Conversation, index: int) -> None:
    """Bridge from the window at `index` to those that it reaches now, as far as caps allow."""
    windows = conversation.windows
    window = windows[index]
    while not (_is_at_cap(window) and _close_at_cap(state, conversation, window)):
        if index + 1 == len(windows):
            break
        following = windows[index + 1]
        if not _reaches(conversation, window, following):
            break
        if _would_pass_cap(window, following):
            _cut_after(state, conversation, window)
            break
        _absorb(state, conversation, index)
    state.changed(window)


# --- where a message joins --------------------------------------------------------------------


def _joins_end(
    state: PartitionState, conversation: Conversation, window: Window, said: Said, key: Key
) -> bool:
    if key <= window.last:
        return True
    # <= so that a message exactly one gap later joins.
    if said.event_time > window.reach:
        return False
    if window.limit is None or window.limit >= key:
        return True
    return _moves_cut(state, conversation, window, said, key)


def _moves_cut(
    state: PartitionState, conversation: Conversation, window: Window, said: Said, key: Key
) -> bool:
    """Whether an ended session's message takes the cut along; the next window is after it."""
    if window.end is None or window.cut is None:
        return False
    if said.session_id not in window.end.session_ids:
        return False
    state.lift_cut(conversation, window.cut)
    if conversation.is_cut_between(window.last, key):
        state.place_cut(conversation, window.cut)
        return False
    state.place_cut(conversation, key)
    window.cut = key
    return True


def _at_front(conversation: Conversation, index: int, said: Said, key: Key) -> Window | None:
    """The next window, where the message reaches its first member."""
    if index == len(conversation.windows):
        return None
    window = conversation.windows[index]
    if window.first[0] > said.event_time + said.policy.idle_gap:
        return None
    return None if conversation.is_cut_between(key, window.first) else window


def _open(state: PartitionState, conversation: Conversation, said: Said) -> Window:
    key = (said.event_time, said.event_id)
    segment_id = ids.segment_id(*conversation.key, said.event_id)
    while conversation.is_in_use(segment_id):
        segment_id = ids.segment_id(*conversation.key, segment_id)
    window = Window(
        key=conversation.key,
        segment_id=segment_id,
        opening_event_id=said.event_id,
        rule_version=state.rule_version,
        first=key,
        last=key,
        reach=said.event_time,
        policy=said.policy,
        channel=said.channel,
        first_offset=state.offset,
        last_offset=state.offset,
        revision=conversation.retired.pop(segment_id, 0),
    )
    state.open_count += 1
    conversation.insert(window)
    return window


def _take_early_revisions(conversation: Conversation, window: Window, event_id: str) -> None:
    for entry in conversation.early.pop(event_id, ()):
        conversation.where[entry.event_id] = window
        window.revise(entry)


# --- bridges and caps -------------------------------------------------------------------------


def _reaches(conversation: Conversation, window: Window, following: Window) -> bool:
    if following.first[0] > window.reach:
        return False
    return not conversation.is_cut_between(window.last, following.first)


def _would_pass_cap(window: Window, following: Window) -> bool:
    span = max(window.last, following.last)[0] - window.first[0]
    count = window.message_count + following.message_count
    return span > window.policy.max_duration or count > window.policy.max_messages


def _is_at_cap(window: Window) -> bool:
    policy = window.policy
    return (
        window.message_count >= policy.max_messages
        or window.last[0] - window.first[0] >= policy.max_duration
    )


def _close_at_cap(state: PartitionState, conversation: Conversation, window: Window) -> bool:
    if conversation.is_bounded(window):
        return False
    _cut_after(state, conversation, window)
    closing.close(state, conversation, window, SealCause.CAP)
    return True


def _cut_after(state: PartitionState, conversation: Conversation, window: Window) -> None:
    window.cut = window.last
    state.place_cut(conversation, window.last)


def _absorb(state: PartitionState, conversation: Conversation, index: int) -> None:
    base, absorbed = conversation.windows[index], conversation.remove(index + 1)
    was_published, was_numbered = absorbed.current_revision > 0, absorbed.revision > 0
    if was_published:
        absorbed.revision += 1
        base.retracts[absorbed.segment_id] = absorbed.revision
        conversation.retracting[absorbed.segment_id] = absorbed.revision
    base.absorb(absorbed)
    imports.hand_over(state, absorbed, base)
    state.open_count -= absorbed.is_open
    absorbed.absorbed_by, absorbed.is_open, absorbed.current_revision = base, False, 0
    state.unsaved.note_rewritten(absorbed)
    if was_numbered:
        conversation.retired[absorbed.segment_id] = absorbed.revision
        state.unsaved.windows[absorbed] = None
    else:
        state.unsaved.windows.pop(absorbed, None)
        state.unsaved.absorbed[(absorbed.key, absorbed.segment_id)] = None
