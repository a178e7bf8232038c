"""Conversations that somebody here takes part in: state, fan-out, presence and what was missed."""
