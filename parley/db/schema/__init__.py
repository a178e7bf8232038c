"""Every table of Parley, by who fills it."""

from parley.db.schema import analysis, config, conversations, importing, log, people, sealing
from parley.db.schema.base import metadata

__all__ = [
    "analysis",
    "config",
    "conversations",
    "importing",
    "log",
    "metadata",
    "people",
    "sealing",
]
