"""Decides which passes this process cannot run: those applied with other code than it has."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from parley.passes.applied import AppliedPass
from parley.passes.catalog import Catalog
from parley.passes.definition import PassDefinition, PassKind

NOT_INSTALLED: Final = "not_installed"
OTHER_FINGERPRINT: Final = "other_fingerprint"


@dataclass(frozen=True, slots=True)
class Suspension:
    """A version that is in force and waits for a process that has its code."""

    pass_name: str
    pass_version: int
    reason: str

    def __str__(self) -> str:
        return f"{self.pass_name} {self.pass_version} {self.reason}"


def suspensions(catalog: Catalog, installed: Iterable[PassDefinition]) -> set[Suspension]:
    """The passes in force whose jobs this process leaves to others."""
    own = {(one.name, one.version): one.fingerprint for one in installed}
    in_force = [catalog.in_force(name) for name in catalog.names()]
    return {
        Suspension(one.name, one.version, reason)
        for one in in_force
        if one is not None and (reason := _reason(one, own))
    }


def _reason(applied: AppliedPass, own: dict[tuple[str, int], str]) -> str:
    if applied.definition.kind is not PassKind.CODE:
        return ""
    fingerprint = own.get((applied.name, applied.version))
    if fingerprint is None:
        return NOT_INSTALLED
    return "" if fingerprint == applied.fingerprint else OTHER_FINGERPRINT
