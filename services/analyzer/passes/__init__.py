"""The passes that Parley ships, and those that other packages add to them."""

from typing import Final

from services.analyzer.passes.installed import Installed, load_installed
from services.analyzer.passes.key_phrases import KEY_PHRASES
from services.analyzer.passes.language import LANGUAGE
from services.analyzer.passes.personal_data import PERSONAL_DATA
from services.analyzer.passes.sentiment import SENTIMENT
from services.analyzer.passes.turn_statistics import TURN_STATISTICS

SHIPPED: Final = (TURN_STATISTICS, SENTIMENT, LANGUAGE, KEY_PHRASES, PERSONAL_DATA)

__all__ = ["SHIPPED", "Installed", "load_installed"]
