"""Telling other programs of new verdicts: what is said, how it is signed, and where it may go."""
