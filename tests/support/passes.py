"""Applies passes as the commands do, and catalogs that hold some without any log."""

from collections.abc import Iterable

from parley import clock
from parley.config import ConfigBody, ConfigChange
from parley.passes.applied import ActiveVersion, AppliedPass, PassActivation, SealsPosition
from parley.passes.catalog import Catalog
from parley.passes.code import CodePass
from parley.passes.planning import Step, Wanted
from parley.passes.publishing import apply_passes
from parley.settings import Settings
from services.analyzer.passes import SHIPPED

OPERATOR = "tests"


async def apply_shipped(settings: Settings) -> list[Step]:
    """What `parley passes apply --shipped` does."""
    return await apply_passes(settings, [Wanted(one.definition) for one in SHIPPED], OPERATOR)


class Known:
    """A catalog that holds passes since the beginning of the seals topic, and never changes."""

    def __init__(self, passes: Iterable[CodePass]) -> None:
        self.catalog = Catalog()
        for one in passes:
            applied = AppliedPass.of(one.definition)
            since = ActiveVersion(applied.version, clock.now(), SealsPosition("", ()))
            self._apply(applied)
            self._apply(PassActivation(applied.name, True, (since,)))

    def _apply(self, body: ConfigBody) -> None:
        self.catalog.apply(ConfigChange("", OPERATOR, clock.now(), body))

    async def catch_up(self) -> None:
        """It knows all that it will."""
