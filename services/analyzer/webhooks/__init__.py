"""Tells webhooks of verdicts: a delivery for each of both, made under a fence, sent by lease."""
