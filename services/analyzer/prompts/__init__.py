"""Runs jobs of passes that are prompts: one call after another is paid for."""
