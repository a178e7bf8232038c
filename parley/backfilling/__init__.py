"""Backfills: passes run over segments that were sealed before the passes existed."""
