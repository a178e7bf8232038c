"""Frames that wait for one reader: so many and no more."""

from collections import deque
from typing import Final

from services.gateway import metrics
from services.gateway.core.outgoing import OutFrame

_DROPPED: Final = metrics.LIVE_DROPPED.labels("slow_reader")


class ReaderTooSlow(Exception):
    """There is no room for a frame that must not be left out."""


class Outbox:
    """A bounded queue that gives up passing frames before it gives up its reader.

    Its bounds are `limit` frames, and `max_chars` of all their texts; one alone may be longer.
    """

    def __init__(self, limit: int, max_chars: int) -> None:
        self._limit = limit
        self._max_chars = max_chars
        self._chars = 0
        self._frames: deque[OutFrame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: OutFrame) -> None:
        """Take a frame; raises ReaderTooSlow when it is full of durable ones."""
        while not self._has_room(frame):
            if not self._drop_passing():
                if not frame.is_passing:
                    raise ReaderTooSlow
                _DROPPED.inc()
                return
        self._frames.append(frame)
        self._chars += len(frame.text)

    def take(self) -> OutFrame:
        """The next frame; there must be one."""
        frame = self._frames.popleft()
        self._chars -= len(frame.text)
        return frame

    def _has_room(self, frame: OutFrame) -> bool:
        if not self._frames:
            return True
        has_chars = self._chars + len(frame.text) <= self._max_chars
        return has_chars and len(self._frames) < self._limit

    def _drop_passing(self) -> bool:
        """Whether there was a passing frame to give up; it was the oldest."""
        for index, waiting in enumerate(self._frames):
            if waiting.is_passing:
                del self._frames[index]
                self._chars -= len(waiting.text)
                _DROPPED.inc()
                return True
        return False
