"""Every table of Parley, by who fills it."""

from typing import Final

from sqlalchemy import Table

from parley.db.schema import (
    activity,
    analysis,
    backfilling,
    config,
    conversations,
    importing,
    jobs,
    log,
    people,
    sealing,
    webhooks,
)
from parley.db.schema.base import metadata

# Rebuilt with the log, but not compared: how far a database has read, and the sealer's memory.
HOUSEKEEPING: Final = frozenset(
    one.name for module in (log, sealing) for one in vars(module).values() if isinstance(one, Table)
)

__all__ = [
    "HOUSEKEEPING",
    "activity",
    "analysis",
    "backfilling",
    "config",
    "conversations",
    "importing",
    "jobs",
    "log",
    "metadata",
    "people",
    "sealing",
    "webhooks",
]
