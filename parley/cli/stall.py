"""Decides when a person who waits for an import is told that nothing moves."""

from typing import Final

from parley.importing.follow import Phase

STALLED_AFTER_S: Final = 10.0

_SERVICE: Final = {
    Phase.STORED: "persister",
    Phase.SEALED: "sealer",
    Phase.ANALYSED: "analyzer",
}
_DONE: Final = {Phase.STORED: "read", Phase.SEALED: "sealed", Phase.ANALYSED: "analysed"}


class StallWatch:
    """Watches one phase; times are monotonic seconds."""

    def __init__(self, now_s: float) -> None:
        self._done = 0
        self._moved_at_s = now_s
        self._has_told = False

    def observe(self, phase: Phase, done: int, now_s: float) -> str | None:
        """So much of the phase is done now; returns what to tell, once, when it stands still."""
        if done != self._done:
            self._done, self._moved_at_s = done, now_s
        if self._has_told or now_s - self._moved_at_s < STALLED_AFTER_S:
            return None
        self._has_told = True
        return (
            f"nothing has been {_DONE[phase]} for {STALLED_AFTER_S:.0f} s: is the "
            f"{_SERVICE[phase]} running? `parley status` shows it; "
            "Ctrl-C leaves the import safely in the log"
        )
