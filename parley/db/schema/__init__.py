"""Every table of Parley, by who fills it."""

from parley.db.schema import analysis, conversations, importing, log, sealing
from parley.db.schema.base import metadata

__all__ = ["analysis", "conversations", "importing", "log", "metadata", "sealing"]
