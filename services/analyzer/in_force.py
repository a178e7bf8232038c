"""Keeps the catalog of passes as the config topic says it, and tells which cannot be run here."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import Gauge

from parley.config import ConfigChange, ConfigKey
from parley.log.config_tail import ConfigTail
from parley.passes.catalog import Catalog
from parley.passes.definition import PassDefinition
from parley.settings import Settings
from services.analyzer.core.suspensions import Suspension, left_alone, suspensions

log = structlog.get_logger(__name__)

SUSPENDED: Final = Gauge(
    "parley_analyzer_suspended_passes",
    "Passes whose jobs wait: for other code than this process has, or for a model that takes them.",
    ["pass_name", "reason"],
)


class PassesInForce:
    """A view of the config topic; `installed` are the passes whose code this process has."""

    def __init__(self, settings: Settings, installed: Sequence[PassDefinition]) -> None:
        self.catalog = Catalog()
        self.suspended: set[Suspension] = set()
        self._installed = installed
        self._tail = ConfigTail(settings, self)
        # Half of what the topic says is not what it says: first all of it is read.
        self._is_whole = False

    async def start(self) -> None:
        """Know all that there is now; raises UserError without Kafka or the topic."""
        await self._tail.start()
        self._is_whole = True
        self._settle()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow what comes, until `stop`."""
        await self._tail.run(stop)

    async def catch_up(self) -> None:
        """Return once the catalog knows all that was in the topic when this was called."""
        await self._tail.catch_up()

    async def check(self) -> None:
        """A check of /health: raises while a pass is suspended."""
        if self.suspended:
            names = ", ".join(sorted(map(str, self.suspended)))
            raise RuntimeError(f"suspended: {names}; see `parley passes diff --shipped`")

    def left_alone(self) -> set[Suspension]:
        """The versions whose jobs wait for others, those that are in force no more included."""
        return left_alone(self.catalog, self._installed)

    # --- the topic's view -----------------------------------------------------------------------

    def apply(self, change: ConfigChange) -> None:
        """Let a record count; raises ConfigFull for one thing too many."""
        self.catalog.apply(change)
        self._settle()

    def forget(self, about: ConfigKey) -> None:
        """A record is gone, or cannot be read any more."""
        self.catalog.forget(about)
        self._settle()

    def clear(self) -> None:
        """Know nothing, as before the first record."""
        self.catalog.clear()
        self._settle()

    def _settle(self) -> None:
        if not self._is_whole:
            return
        before, self.suspended = self.suspended, suspensions(self.catalog, self._installed)
        for one in self.suspended - before:
            SUSPENDED.labels(one.pass_name, one.reason).set(1)
            log.error("pass_suspended", **_names(one))
        for one in before - self.suspended:
            SUSPENDED.labels(one.pass_name, one.reason).set(0)
            log.info("pass_resumed", **_names(one))


def _names(one: Suspension) -> dict[str, object]:
    return {
        "pass_name": one.pass_name,
        "pass_version": one.pass_version,
        "reason": one.reason,
    }
