"""Passes over sealed segments."""
