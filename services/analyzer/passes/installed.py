"""Finds the passes that are installed: those that Parley ships, and entry points of other packages.

A pass that cannot be loaded stops no other: it is in the log, in a metric and in /health.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import structlog
from prometheus_client import Gauge

from parley.passes.code import CodePass
from parley.passes.definition import PassDefinition, PassKind
from parley.passes.schemas import OutputSchema

log = structlog.get_logger(__name__)

GROUP: Final = "parley.passes"
# Names are labels of metrics and keys of tables: neither wants a long one.
NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_NAME_LENGTH: Final = 64

BROKEN: Final = Gauge(
    "parley_analyzer_broken_passes",
    "Installed passes that could not be loaded, and are therefore not run.",
)


class ConflictingPasses(RuntimeError):
    """Two packages bring a pass of the same name and version: which is meant is for a person."""


class InvalidPass(ValueError):
    """What an entry point names is no pass."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Passes by name and version, and why others are `broken`, by "entry point of package"."""

    passes: tuple[CodePass, ...]
    broken: dict[str, str] = field(default_factory=dict)

    async def check(self) -> None:
        """A check of /health: raises while a pass is broken."""
        if self.broken:
            raise RuntimeError("; ".join(f"{one}: {why}" for one, why in self.broken.items()))


def load_installed(
    shipped: Iterable[CodePass], points: Iterable[EntryPoint] | None = None
) -> Installed:
    """Import what is installed, once at start; raises ConflictingPasses.

    The shipped passes are entry points as well. They are given here too, so that they are there
    where Parley runs from its source and is not installed, as in its image.
    """
    found = {_key(one.definition): (one, "parley") for one in shipped}
    broken: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP) if points is None else points):
        package = point.dist.name if point.dist else "an unknown package"
        try:
            one = _load(point)
        except Exception as error:  # noqa: BLE001 - whatever another package's import raises
            broken[f"{point.name} of {package}"] = _why(error)
            continue
        known, owner = found.setdefault(_key(one.definition), (one, package))
        if known is not one:
            raise _conflict(one.definition, owner, package)
    return _told(Installed(tuple(one for _, (one, _) in sorted(found.items())), broken))


def check_pass(one: object) -> CodePass:
    """The pass itself; raises InvalidPass or InvalidSchema, which say what is wrong with it."""
    if not isinstance(one, CodePass):
        raise InvalidPass(f"is a {type(one).__name__}, no parley.passes.code.CodePass")
    definition = one.definition
    if len(definition.name) > MAX_NAME_LENGTH or not NAME.fullmatch(definition.name):
        raise InvalidPass(f"the name {definition.name!r} is not lower_snake, or too long")
    if definition.version < 1:
        raise InvalidPass(f"version {definition.version} is below 1")
    if definition.kind is not PassKind.CODE:
        raise InvalidPass(f"the kind is {definition.kind.value}, not code")
    OutputSchema(definition.output_schema)
    return one


def _load(point: EntryPoint) -> CodePass:
    return check_pass(point.load())


def _key(definition: PassDefinition) -> tuple[str, int]:
    return definition.name, definition.version


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _conflict(definition: PassDefinition, owner: str, package: str) -> ConflictingPasses:
    return ConflictingPasses(
        f"the pass {definition.name} version {definition.version} is in the package {owner} and "
        f"in {package}: uninstall one, or give one another name or version"
    )


def _told(installed: Installed) -> Installed:
    BROKEN.set(len(installed.broken))
    for one, why in installed.broken.items():
        log.error("pass_broken", entry_point=one, error=why)
    return installed
