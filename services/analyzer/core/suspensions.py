"""Decides which passes this process cannot run: those applied otherwise than it knows them."""

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
    """A version that is in force and waits for a process that has it as it was applied."""

    pass_name: str
    pass_version: int
    reason: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.pass_name} {self.pass_version} {self.reason}"


def suspensions(catalog: Catalog, installed: Iterable[PassDefinition]) -> set[Suspension]:
    """The passes in force whose jobs this process leaves to others."""
    in_force = [catalog.in_force(name) for name in catalog.names()]
    wanted = {(one.name, one.version) for one in in_force if one is not None}
    left = left_alone(catalog, installed)
    return {one for one in left if (one.pass_name, one.pass_version) in wanted}


def left_alone(catalog: Catalog, installed: Iterable[PassDefinition]) -> set[Suspension]:
    """All versions whose jobs this process leaves to others, in force or not."""
    own = {(one.name, one.version): one.fingerprint for one in installed}
    applied = [said.body for name in catalog.names() for said in catalog.versions(name)]
    return {
        Suspension(one.name, one.version, reason, one.fingerprint)
        for one in applied
        if (reason := _reason(one, own))
    }


def _reason(applied: AppliedPass, own: dict[tuple[str, int], str]) -> str:
    if applied.definition.kind is not PassKind.CODE:
        # Its words are all that it is: another release may compute another fingerprint of them.
        is_own = applied.definition.fingerprint == applied.fingerprint
        return "" if is_own else OTHER_FINGERPRINT
    fingerprint = own.get((applied.name, applied.version))
    if fingerprint is None:
        return NOT_INSTALLED
    return "" if fingerprint == applied.fingerprint else OTHER_FINGERPRINT
