"""The passes that Parley ships."""

from typing import Final

from services.analyzer.passes.sentiment import SENTIMENT
from services.analyzer.passes.turn_statistics import TURN_STATISTICS

SHIPPED: Final = (TURN_STATISTICS, SENTIMENT)

__all__ = ["SHIPPED"]
