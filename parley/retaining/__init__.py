"""Retention of the tables: what was said before a moment goes, and an empty copy follows suit."""

from parley.retaining.recorded import recorded
from parley.retaining.retain import Kept, count, keep, keep_answers

__all__ = ["Kept", "count", "keep", "keep_answers", "recorded"]
