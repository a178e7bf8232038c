"""Runs one pass over one stored segment, and tells everything about it; nothing is written."""
