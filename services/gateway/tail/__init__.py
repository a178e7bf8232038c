"""Follows the log: every replica reads all of it, from where the tables stand onward."""
