"""Decides what jobs there are and what becomes of them; no I/O, no clock, no randomness."""
