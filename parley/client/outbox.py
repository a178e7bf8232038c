"""Decides which frame is sent next: in order, not too many at once, and again when need be.

It has no clock: seconds come in as `now_s`, on a clock that never goes back.
"""

from collections import OrderedDict
from typing import Final

from parley.client.sending import Outgoing

# As many as a gateway reads ahead of its acknowledgements.
IN_FLIGHT: Final = 64


class Outbox:
    """One conversation's frames that are not acknowledged yet; its user bounds their number."""

    def __init__(self, max_in_flight: int = IN_FLIGHT) -> None:
        self._max_in_flight = max_in_flight
        self._next_order = 0
        self._orders: dict[str, int] = {}
        self._fresh: OrderedDict[str, Outgoing] = OrderedDict()
        # Those to be sent again, sorted by their order; they go before any fresh one.
        self._again: list[Outgoing] = []
        # With the second at which each was sent, in that order.
        self._in_flight: dict[str, tuple[Outgoing, float]] = {}
        self._not_before_s = 0.0
        # One of these was too big for the gateway: they go one by one until it shows which.
        self._suspects: set[str] = set()

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def in_flight(self) -> int:
        """How many wait for an answer."""
        return len(self._in_flight)

    def add(self, frame: Outgoing) -> None:
        """Take a frame; its id must be new."""
        self._orders[frame.frame_id] = self._next_order
        self._next_order += 1
        self._fresh[frame.frame_id] = frame

    def take(self, now_s: float) -> tuple[Outgoing, bool] | None:
        """The next frame to send, and whether it was sent before; None while there is none."""
        if now_s < self._not_before_s or len(self._in_flight) >= self._window():
            return None
        frame, is_again = self._next()
        if frame is None:
            return None
        self._in_flight[frame.frame_id] = (frame, now_s)
        return frame, is_again

    def settle(self, frame_id: str) -> Outgoing | None:
        """The frame is done with; None when it was already."""
        if self._orders.pop(frame_id, None) is None:
            return None
        self._suspects.discard(frame_id)
        flying = self._in_flight.pop(frame_id, None)
        if flying is not None:
            return flying[0]
        return self._remove_waiting(frame_id)

    def refuse_for_now(self, frame_id: str, not_before_s: float) -> bool:
        """It has to be sent again, and nothing goes before then, so that the order is kept."""
        flying = self._in_flight.pop(frame_id, None)
        if flying is None:
            return False
        self._again.append(flying[0])
        self._again.sort(key=self._order)
        self._not_before_s = max(self._not_before_s, not_before_s)
        return True

    def lose_connection(self) -> None:
        """What was in flight has to be sent again, in its old order."""
        self._again.extend(frame for frame, _ in self._in_flight.values())
        self._again.sort(key=self._order)
        self._in_flight.clear()
        self._not_before_s = 0.0

    def suspect_in_flight(self) -> str | None:
        """The connection broke over a frame's size: the frame's id, once it is known."""
        if len(self._in_flight) == 1:
            return next(iter(self._in_flight))
        self._suspects.update(self._in_flight)
        return None

    def oldest_sent_s(self) -> float | None:
        """When the oldest frame in flight was sent."""
        first = next(iter(self._in_flight.values()), None)
        return None if first is None else first[1]

    def held_until_s(self, now_s: float) -> float | None:
        """Until when nothing is sent, because the gateway said so; None while it is not so."""
        return self._not_before_s if self._not_before_s > now_s and self._orders else None

    def _next(self) -> tuple[Outgoing | None, bool]:
        if self._again:
            return self._again.pop(0), True
        if self._fresh:
            return self._fresh.popitem(last=False)[1], False
        return None, False

    def _remove_waiting(self, frame_id: str) -> Outgoing:
        for place, frame in enumerate(self._again):
            if frame.frame_id == frame_id:
                return self._again.pop(place)
        return self._fresh.pop(frame_id)

    def _window(self) -> int:
        return 1 if self._suspects else self._max_in_flight

    def _order(self, frame: Outgoing) -> int:
        return self._orders[frame.frame_id]
