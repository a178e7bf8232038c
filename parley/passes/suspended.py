"""Tells which passes wait, and why: for all analyzers, or for those that cannot run them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parley.db.pool import Pool
from parley.db.sql import load

_SQL: Final = load(__package__)


@dataclass(frozen=True, slots=True)
class Suspended:
    """A version of a pass whose jobs wait, by the fingerprint that they carry.

    With `analyzer_count` it is left alone by so many analyzers, which do not have what was applied;
    with 0 by all, until somebody says that what is wrong is mended.
    """

    fingerprint: str
    pass_name: str
    pass_version: int
    reason: str
    since: datetime
    analyzer_count: int = 0

    @property
    def is_everywhere(self) -> bool:
        """Whether no analyzer runs it."""
        return not self.analyzer_count

    def __str__(self) -> str:
        if self.is_everywhere:
            return f"suspended: {self.reason}"
        plural = "s" if self.analyzer_count > 1 else ""
        return f"suspended by {self.analyzer_count} analyzer{plural}: {self.reason}"

    @property
    def remedy(self) -> str:
        """What somebody can do about it."""
        if self.is_everywhere:
            return (
                "Correct the model's settings or key, and say so: "
                f"`parley passes resume {self.pass_name}`."
            )
        return (
            "Run analyzers of the release that applied it, with the packages of its code, or apply "
            "it as a new version: see `parley passes diff --shipped`."
        )


async def suspended_passes(pool: Pool) -> dict[str, Suspended]:
    """What waits now, by fingerprint; of several reasons the one that stops all analyzers."""
    rows = await pool.fetch(_SQL["suspended"])
    return {row["fingerprint"]: Suspended(*row.values()) for row in rows}
