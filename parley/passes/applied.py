"""What operators say of passes: versions that were applied, which is in force, who wants it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from parley.passes.definition import PassDefinition

# Of an activation: the version that is in force, and those just before it.
MAX_ACTIVE_VERSIONS: Final = 16


@dataclass(frozen=True, slots=True)
class AppliedPass:
    """One version of a pass, and the fingerprint under which it was applied.

    Whoever computes another fingerprint from the definition has other code, or is another release:
    jobs carry the applied one, so they wait for somebody who has what was applied.
    """

    definition: PassDefinition
    fingerprint: str

    @classmethod
    def of(cls, definition: PassDefinition) -> "AppliedPass":
        """The definition as this release applies it."""
        return cls(definition, definition.fingerprint)

    @property
    def name(self) -> str:
        """The pass's name."""
        return self.definition.name

    @property
    def version(self) -> int:
        """The pass's version."""
        return self.definition.version


@dataclass(frozen=True, slots=True)
class SealsPosition:
    """The ends of all partitions of the seals topic at one moment, in the order of the partitions.

    Offsets of another incarnation of the topic do not compare with them.
    """

    incarnation: str
    offsets: tuple[int, ...]

    def precedes(self, incarnation: str, partition: int, offset: int) -> bool:
        """Whether a seal there came later; one that cannot be compared did, so none is missed."""
        if incarnation != self.incarnation or partition >= len(self.offsets):
            return True
        return offset >= self.offsets[partition]


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """A version, and from where on it is in force: without a position for every seal read now."""

    version: int
    activated_at: datetime
    since: SealsPosition | None = None


@dataclass(frozen=True, slots=True)
class PassActivation:
    """Which version of a pass is in force, the last one of `versions`; of a disabled pass none.

    The earlier ones followed each other without a pause, and count for the seals between: so a
    seal that is read late gets the version that was in force when it was sealed. Since
    `resumed_at` what had suspended the pass before is over, as far as an operator knows.
    """

    name: str
    is_enabled: bool
    versions: tuple[ActiveVersion, ...]
    resumed_at: datetime | None = None

    @property
    def latest(self) -> ActiveVersion:
        """The version that is in force, or was when the pass was disabled."""
        return self.versions[-1]

    @property
    def is_placed(self) -> bool:
        """Whether it is known from where on the latest version is in force."""
        return self.latest.since is not None

    def switched_to(self, version: int, moment: datetime) -> "PassActivation":
        """The same pass with this version in force, from a position on that is not known yet."""
        # One without a position was never finished, and a pause ends what was before it.
        former = [one for one in self.versions if one.since is not None and self.is_enabled]
        kept = former[-(MAX_ACTIVE_VERSIONS - 1) :]
        versions = (*kept, ActiveVersion(version, moment))
        return replace(self, is_enabled=True, versions=versions)

    def placed(self, since: SealsPosition) -> "PassActivation":
        """The same with the position from which the latest version is in force."""
        return replace(self, versions=(*self.versions[:-1], replace(self.latest, since=since)))

    def resumed(self, moment: datetime) -> "PassActivation":
        """The same pass, to be tried again where it was suspended."""
        return replace(self, resumed_at=moment)

    def disabled(self) -> "PassActivation":
        """The same pass with no version in force."""
        return replace(self, is_enabled=False)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Whether a tenant wants a pass, or all passes of a category."""

    target: str
    is_category: bool
    is_enabled: bool

    @property
    def about(self) -> str:
        """What a tenant's subscription is about: passes and categories have names apart."""
        return f"{'category' if self.is_category else 'pass'}:{self.target}"
