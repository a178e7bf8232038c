"""What a simulation has sent and got back so far."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

_LATENCIES: Final = 10_000


@dataclass(slots=True)
class Counts:
    """Frames by what became of them, and how long the latest acknowledgements took."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    resent: int = 0
    reconnects: int = 0
    last_refusal: str = ""
    ack_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def refuse(self, code: str, message: str) -> None:
        """A frame was refused for good."""
        self.refused += 1
        self.last_refusal = f"{code}: {message}"

    def percentile_ms(self, share: float) -> float:
        """Milliseconds within which that share of the latest acknowledgements came; 0 for none."""
        ordered = sorted(self.ack_seconds)
        if not ordered:
            return 0.0
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def line(self) -> str:
        """All of it in one line."""
        text = (
            f"sent {self.sent:,}  acknowledged {self.acknowledged:,}  refused {self.refused:,}  "
            f"ack p50 {self.percentile_ms(0.5):.1f} ms  p99 {self.percentile_ms(0.99):.1f} ms"
        )
        if self.reconnects:
            text += f"  reconnects {self.reconnects:,}  resent {self.resent:,}"
        return text
