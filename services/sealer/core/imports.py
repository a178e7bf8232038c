"""Imports: a window that one touched waits until the import has passed it.

Decided here, where the rule leaves it open:
- An import is known from its first record to its end or lapse; after either, further records of
  the same id begin anew. ImportStarted alone resets nothing.
- A record out of the import's order holds nothing: its import has passed it already.
- Repeats move the progress and keep the import from lapsing; they hold nothing.
- Let go of, a window closes at the next record: before a record is applied, all that is due closes.
"""

from datetime import datetime

from services.sealer.core.facts import Fact
from services.sealer.core.import_progress import ImportProgress
from services.sealer.core.state import PartitionState
from services.sealer.core.window import Window


def note(state: PartitionState, fact: Fact, import_id: str) -> None:
    """A record of an import came: its progress moves, and what it has passed is let go of."""
    progress = state.imports.get(import_id)
    if progress is None:
        progress = state.imports[import_id] = ImportProgress(import_id, state.watermark)
        state.queue.schedule(progress)
    progress.last_seen = state.watermark
    if not fact.conversation_id:
        return
    progress.advance(fact.conversation_id, fact.event_time)
    for window in [one for one in progress.held if progress.has_passed(one)]:
        release(state, progress, window, state.watermark)


def hold(state: PartitionState, window: Window, import_id: str) -> None:
    """An import's event touched a window, which then waits for that import."""
    if not window.is_open:
        return
    progress = state.imports[import_id]
    if not progress.has_passed(window):
        window.held_by.add(import_id)
        progress.held[window] = None
    elif not window.held_by:
        window.released_at = state.watermark
    state.changed(window)


def release(state: PartitionState, progress: ImportProgress, window: Window, at: datetime) -> None:
    """An import waits for a window no more, as of the watermark `at`."""
    progress.held.pop(window, None)
    window.held_by.discard(progress.import_id)
    if not window.held_by:
        window.released_at = at
    state.changed(window)


def finish(state: PartitionState, import_id: str, at: datetime) -> None:
    """An import is over, or has lapsed: it is forgotten, and holds nothing."""
    progress = state.imports.pop(import_id, None)
    if progress is None:
        return
    # Its place in the queue is void: another run of the same import has its own.
    progress.queued = None
    for window in list(progress.held):
        release(state, progress, window, at)


def let_go(state: PartitionState, window: Window) -> None:
    """A window closed, whoever held it."""
    for import_id in window.held_by:
        state.imports[import_id].held.pop(window, None)
    window.held_by.clear()


def hand_over(state: PartitionState, absorbed: Window, base: Window) -> None:
    """A window was absorbed: what held it holds the other one."""
    for import_id in absorbed.held_by:
        held = state.imports[import_id].held
        held.pop(absorbed, None)
        held[base] = None
        base.held_by.add(import_id)
    absorbed.held_by.clear()
