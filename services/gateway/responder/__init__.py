"""Answers users: with a model's words where one is connected, and says so where none is."""
