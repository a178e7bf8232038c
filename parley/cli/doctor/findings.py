"""What a check finds."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from parley.errors import UserError

# More than a server that is well and near ever needs.
SLOW_S: Final = 0.5


class Level(StrEnum):
    """How bad it is; `fail` means that something does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor: what was looked at, how it is, and what to do."""

    level: Level
    subject: str
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str, remedy: str) -> Finding:
    """It works, but somebody should look."""
    return Finding(Level.WARN, subject, text, remedy)


def fail(subject: str, text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, subject, text, remedy)


def check_latency(subject: str, what: str, seconds: float) -> Finding:
    """How fast a server answers to a question that costs it nothing."""
    text = f"{what} answers in {1000 * seconds:.0f} ms"
    if seconds > SLOW_S:
        return warn(subject, text, "Is it overloaded, or the network to it slow? All waits for it.")
    return ok(subject, text)


def failed(subject: str, error: UserError) -> Finding:
    """It cannot even be looked at."""
    return fail(subject, error.problem, error.remedy)
