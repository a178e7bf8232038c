"""Decides which records apply, enable or disable passes; a crash between two is harmless."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parley.codec.definitions import is_same
from parley.errors import UserError
from parley.passes.applied import ActiveVersion, AppliedPass, PassActivation
from parley.passes.catalog import Catalog
from parley.passes.definition import PassDefinition


class Change(StrEnum):
    """What applying a definition does to what was known of its version."""

    NEW = "new version"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Standing(StrEnum):
    """Whether the version is in force once it is applied, and if not, why."""

    IN_FORCE = "in force"
    DISABLED = "disabled"
    NOT_IN_FORCE = "another version is in force"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A definition to be applied, and whether a new version is to be put in force."""

    definition: PassDefinition
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """What is written for one definition: first the activation, without offsets, then it."""

    wanted: Wanted
    change: Change
    standing: Standing
    activation: PassActivation | None = None

    @property
    def applied(self) -> AppliedPass:
        """The version as it will be in the log."""
        return AppliedPass.of(self.wanted.definition)


def plan(catalog: Catalog, wanted: Sequence[Wanted], now: datetime) -> list[Step]:
    """The steps that apply all of it; raises UserError for what cannot be applied at all.

    A new version is put in force, unless an operator has disabled the pass, or has put a later one
    in force. Of a known version the activation stays as it is, but for one that was never finished.
    """
    seen: dict[tuple[str, int], PassDefinition] = {}
    for one in wanted:
        key = one.definition.name, one.definition.version
        if seen.setdefault(key, one.definition).fingerprint != one.definition.fingerprint:
            raise _taken(catalog, one.definition, "what is applied with it")
        check_fingerprint(catalog, one.definition)
    check_prompts(catalog, [one.definition for one in wanted])
    # Earlier versions first, so that the latest of several is in force in the end.
    ordered = sorted(wanted, key=lambda one: (one.definition.name, one.definition.version))
    return _steps(catalog, ordered, now)


def _steps(catalog: Catalog, ordered: Sequence[Wanted], now: datetime) -> list[Step]:
    steps = []
    activations = {name: _activation(catalog, name) for name in catalog.names()}
    for one in ordered:
        name = one.definition.name
        before = activations.get(name, _activation(catalog, name))
        step = _step(catalog, one, before, now)
        activations[name] = step.activation or before
        steps.append(step)
    return steps


def _activation(catalog: Catalog, name: str) -> PassActivation | None:
    said = catalog.activation(name)
    return None if said is None else said.body


def _step(catalog: Catalog, wanted: Wanted, before: PassActivation | None, now: datetime) -> Step:
    definition = wanted.definition
    known = catalog.version(definition.name, definition.version)
    change = Change.NEW if known is None else Change.UPDATED
    if known is not None and is_same(known.definition, definition):
        change = Change.UNCHANGED
    after = _after(wanted, before, now, is_new=known is None)
    standing = _standing(after or before, definition.version)
    return Step(wanted, change, standing, None if after == before else after)


def _after(
    wanted: Wanted, before: PassActivation | None, now: datetime, *, is_new: bool
) -> PassActivation | None:
    version = wanted.definition.version
    if before is None:
        if not (is_new and wanted.is_enabled):
            return None
        return PassActivation(wanted.definition.name, True, (ActiveVersion(version, now),))
    if not before.is_enabled or not wanted.is_enabled:
        return before
    if is_new and version > before.latest.version:
        return before.switched_to(version, now)
    return before


def _standing(activation: PassActivation | None, version: int) -> Standing:
    if activation is None or not activation.is_enabled:
        return Standing.DISABLED
    return Standing.IN_FORCE if activation.latest.version == version else Standing.NOT_IN_FORCE


def check_fingerprint(catalog: Catalog, definition: PassDefinition) -> None:
    """Raise UserError where the log has another fingerprint of the same version."""
    known = catalog.version(definition.name, definition.version)
    if known is not None and known.fingerprint != definition.fingerprint:
        raise _taken(catalog, definition, f"what is applied ({known.fingerprint[:12]}…)")


def next_version(catalog: Catalog, definition: PassDefinition) -> int:
    """A version that the pass does not have yet."""
    known = [said.body.version for said in catalog.versions(definition.name)]
    return max([definition.version, *known]) + 1


def _taken(catalog: Catalog, definition: PassDefinition, than: str) -> UserError:
    name, version = definition.name, definition.version
    return UserError(
        f"{name} version {version} would give other results than {than}: its fingerprint is "
        f"{definition.fingerprint[:12]}…, and a version has exactly one.",
        f"Give it version {next_version(catalog, definition)}. What differs is shown by "
        "`parley passes diff`.",
    )


def check_prompts(catalog: Catalog, definitions: Sequence[PassDefinition]) -> None:
    """Raise UserError where a version of a prompt would have two texts."""
    texts = {(one.name, one.version): one for one in catalog.prompts()}
    for definition in definitions:
        prompt = definition.prompt
        if prompt is not None:
            known = texts.setdefault((prompt.name, prompt.version), prompt)
            if known != prompt:
                raise UserError(
                    f"{definition.name} version {definition.version} has another text of the "
                    f"prompt {prompt.name} version {prompt.version} than there is.",
                    f"Give the prompt version {prompt.version + 1}.",
                )


def put_in_force(catalog: Catalog, name: str, version: int | None, now: datetime) -> PassActivation:
    """The activation of a version (None: the latest) that is to be written; raises UserError."""
    chosen = find(catalog, name, version)
    said = catalog.activation(name)
    if said is None:
        return PassActivation(name, True, (ActiveVersion(chosen.version, now),))
    before = said.body
    if before.is_enabled and before.latest.version == chosen.version:
        return before
    return before.switched_to(chosen.version, now)


def find(catalog: Catalog, name: str, version: int | None = None) -> AppliedPass:
    """A version of a pass, the latest where none is named; raises UserError."""
    known = catalog.versions(name)
    if not known:
        raise UserError(
            f"There is no pass {name}.",
            "See all with `parley passes list`; apply one with `parley passes apply FILE`.",
        )
    if version is None:
        return known[-1].body
    chosen = catalog.version(name, version)
    if chosen is None:
        numbers = ", ".join(str(said.body.version) for said in known)
        raise UserError(f"{name} has no version {version}.", f"There is {numbers}.")
    return chosen
