"""Frames that wait for one reader: so many and no more."""

from collections import deque

from services.gateway import metrics
from services.gateway.core.outgoing import OutFrame


class ReaderTooSlow(Exception):
    """There is no room for a frame that must not be left out."""


class Outbox:
    """A bounded queue that gives up passing frames before it gives up its reader."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: deque[OutFrame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: OutFrame) -> None:
        """Take a frame; raises ReaderTooSlow when it is full of durable ones."""
        if len(self._frames) >= self._limit and not self._make_room(frame):
            return
        self._frames.append(frame)

    def take(self) -> OutFrame:
        """The next frame; there must be one."""
        return self._frames.popleft()

    def _make_room(self, frame: OutFrame) -> bool:
        """Whether the frame may come in, for the oldest passing one or instead of itself."""
        dropped = metrics.LIVE_DROPPED.labels("slow_reader")
        for index, waiting in enumerate(self._frames):
            if waiting.is_passing:
                del self._frames[index]
                dropped.inc()
                return True
        if not frame.is_passing:
            raise ReaderTooSlow
        dropped.inc()
        return False
