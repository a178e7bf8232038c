"""What a row of the fault table is: a fault, how often, and what must come out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.stage import Stage

LONGEST_CATCH_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What came out of one go. `lost` and `doubled` are by the client's ledger.

    `longest_catch_up_s` is the longest time from the end of a fault until everything was read
    that was in the log at that moment; None where the row has no such moment.
    """

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    residue: int = 0
    longest_catch_up_s: float | None = None
    problems: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def all_problems(self) -> tuple[str, ...]:
        """What is not as it must be, for people; nothing where the row holds."""
        counts = {"lost": self.lost, "doubled": self.doubled, "in the residue": self.residue}
        found = [f"{count} {name}" for name, count in counts.items() if count]
        if (self.longest_catch_up_s or 0.0) > LONGEST_CATCH_UP_S:
            found.append(f"caught up after {self.longest_catch_up_s:.1f} s")
        return (*found, *self.problems)


class CannotPlay(Exception):
    """The machine does not have what the row needs; the text says what."""


Run = Callable[[Stage, int, int], Awaitable[Findings]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `run(stage, first, count)` does its numbers first to first + count - 1.

    `full` is the amount that shows the claim and `short` the one of `make test`, both in `unit`s;
    a go does at most `at_once` of them, so that what was done is soon written down. A row without
    a short form is one of the suite's own tests.
    """

    name: str
    claim: str
    unit: str
    full: int
    short: int
    at_once: int
    run: Run
