"""Asks a language model what a prompt pass wants to know, and says how that ended."""
