"""Carries backfills out: every analyzer replays what no other one holds."""

from services.analyzer.backfilling.backfills import Backfills

__all__ = ["Backfills"]
