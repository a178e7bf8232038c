"""The passes that Parley ships, and those that other packages add to them."""

from typing import Final

from services.analyzer.passes.installed import Installed, load_installed
from services.analyzer.passes.sentiment import SENTIMENT
from services.analyzer.passes.turn_statistics import TURN_STATISTICS

SHIPPED: Final = (TURN_STATISTICS, SENTIMENT)

__all__ = ["SHIPPED", "Installed", "load_installed"]
