"""Which other gateways are alive, by what was heard of them."""

from typing import Final

BEAT_S: Final = 5.0
# Three beats in a row did not come.
SILENCE_S: Final = 16.0


class Heartbeats:
    """When each gateway was heard last, in seconds on a clock that never goes back."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}
        self._beat_at_s = float("-inf")

    def hear(self, gateway_id: str, now_s: float) -> None:
        """A gateway said something."""
        self._heard[gateway_id] = now_s

    def is_due(self, now_s: float) -> bool:
        """Whether it is time to say something; then it counts as said."""
        if now_s - self._beat_at_s < BEAT_S:
            return False
        self._beat_at_s = now_s
        return True

    def take_silent(self, now_s: float) -> list[str]:
        """Gateways that went silent, each told once."""
        silent = [one for one, at in self._heard.items() if now_s - at > SILENCE_S]
        for gateway_id in silent:
            del self._heard[gateway_id]
        return silent
