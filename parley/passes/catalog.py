"""Which passes are due for a segment: what operators applied, enabled and subscribed tenants to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

from parley.config import ConfigChange, ConfigFull, ConfigKey, ConfigKind
from parley.passes.applied import AppliedPass, PassActivation, Subscription
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate
from parley.position import Position

MAX_DEFINITIONS: Final = 2_000
MAX_ACTIVATIONS: Final = 2_000
MAX_SUBSCRIPTIONS: Final = 200_000

Body = TypeVar("Body", AppliedPass, PassActivation, Subscription)


class NotDue(StrEnum):
    """Why a pass is not run over a segment."""

    NOT_ACTIVE = "not_active"
    FILTERED = "filtered"
    NOT_SUBSCRIBED = "not_subscribed"
    NOT_SAMPLED = "not_sampled"


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What decides about the passes of a segment."""

    tenant_id: str
    channel: str
    message_count: int
    segment_id: str


@dataclass(slots=True)
class Due:
    """The passes to run over a segment, and why others are not."""

    passes: list[AppliedPass] = field(default_factory=list)
    others: list[tuple[AppliedPass, NotDue]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Said(Generic[Body]):
    """What an operator said last of something, who and when; a tenant's own names the tenant."""

    body: Body
    tenant_id: str
    changed_by: str
    changed_at: datetime


class Catalog:
    """A fold of the config topic: of each thing the latest record counts, in whatever order."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Said[AppliedPass]]] = {}
        self._activations: dict[str, Said[PassActivation]] = {}
        self._subscriptions: dict[tuple[str, str], Said[Subscription]] = {}
        self._definition_count = 0

    # --- what operators say -------------------------------------------------------------------

    def apply(self, change: ConfigChange) -> None:
        """Let a record count; raises ConfigFull for one thing too many."""
        who_and_when = (change.tenant_id, change.changed_by, change.changed_at)
        match change.body:
            case AppliedPass() as applied:
                self._apply_version(Said(applied, *who_and_when))
            case PassActivation(name) as activation:
                _check_room(name in self._activations, len(self._activations), MAX_ACTIVATIONS)
                self._activations[name] = Said(activation, *who_and_when)
            case Subscription() as subscription:
                key = (change.tenant_id, subscription.about)
                is_known, count = key in self._subscriptions, len(self._subscriptions)
                _check_room(is_known, count, MAX_SUBSCRIPTIONS)
                self._subscriptions[key] = Said(subscription, *who_and_when)

    def _apply_version(self, said: Said[AppliedPass]) -> None:
        name, version = said.body.name, said.body.version
        is_known = version in self._versions.get(name, {})
        _check_room(is_known, self._definition_count, MAX_DEFINITIONS)
        self._versions.setdefault(name, {})[version] = said
        self._definition_count += not is_known

    def forget(self, about: ConfigKey) -> None:
        """A record is gone, or cannot be read any more."""
        match about.kind:
            case ConfigKind.DEFINITION:
                self._forget_version(about.name, about.version)
            case ConfigKind.ACTIVATION:
                self._activations.pop(about.name, None)
            case ConfigKind.SUBSCRIPTION:
                self._subscriptions.pop((about.tenant_id, about.name), None)

    def _forget_version(self, name: str, version: int) -> None:
        versions = self._versions.get(name, {})
        if versions.pop(version, None) is not None:
            self._definition_count -= 1
        if not versions:
            self._versions.pop(name, None)

    def clear(self) -> None:
        """Know nothing, as before the first record."""
        self._versions.clear()
        self._activations.clear()
        self._subscriptions.clear()
        self._definition_count = 0

    # --- what is due --------------------------------------------------------------------------

    def due(self, segment: SegmentFacts, places: Sequence[Position] = ()) -> Due:
        """The passes of a segment whose seal lies at `places`: where it is, and where a copy was.

        Without places, as if it were sealed now.
        """
        found = Due()
        for name in sorted(self._versions):
            one = self.in_force(name, places)
            refusal = NotDue.NOT_ACTIVE if one is None else self.refusal(one.definition, segment)
            if one is None or refusal is not None:
                found.others.append((one or self.latest(name), refusal or NotDue.NOT_ACTIVE))
            else:
                found.passes.append(one)
        return found

    def in_force(self, name: str, places: Sequence[Position] = ()) -> AppliedPass | None:
        """The version of a pass that counts for a seal at `places`; without them, now."""
        said = self._activations.get(name)
        if said is None or not said.body.is_enabled:
            return None
        versions = self._versions.get(name, {})
        for one in reversed(said.body.versions):
            comparable = [
                place
                for place in places
                if one.since is not None and place.incarnation == one.since.incarnation
            ]
            has_begun = one.since is None or all(one.since.precedes(*place) for place in comparable)
            # An activation may come before what it activates.
            if has_begun and one.version in versions:
                return versions[one.version].body
        return None

    def refusal(self, definition: PassDefinition, segment: SegmentFacts) -> NotDue | None:
        """Why a pass that is in force is not for the segment; None where it is."""
        tenant_id = segment.tenant_id
        if not definition.target.takes(tenant_id, segment.channel, segment.message_count):
            return NotDue.FILTERED
        if not self.is_subscribed(tenant_id, definition):
            return NotDue.NOT_SUBSCRIBED
        if not definition.samples(segment.segment_id):
            return NotDue.NOT_SAMPLED
        return None

    def is_subscribed(self, tenant_id: str, definition: PassDefinition) -> bool:
        """Whether a tenant wants the pass: by its name, else its category, else if it is code."""
        for about in (f"pass:{definition.name}", f"category:{definition.category}"):
            said = self.subscription(tenant_id, about)
            if said is not None:
                return said.body.is_enabled
        return definition.kind is PassKind.CODE

    # --- what there is ------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The names of all passes, sorted."""
        return sorted(self._versions)

    def versions(self, name: str) -> list[Said[AppliedPass]]:
        """The versions of a pass, the first one first."""
        return [said for _, said in sorted(self._versions.get(name, {}).items())]

    def version(self, name: str, version: int) -> AppliedPass | None:
        """One version of a pass."""
        said = self._versions.get(name, {}).get(version)
        return None if said is None else said.body

    def latest(self, name: str) -> AppliedPass:
        """The greatest version of a pass that there is; raises KeyError."""
        versions = self._versions[name]
        return versions[max(versions)].body

    def activation(self, name: str) -> Said[PassActivation] | None:
        """Which version of a pass was put in force last."""
        return self._activations.get(name)

    def subscription(self, tenant_id: str, about: str) -> Said[Subscription] | None:
        """What a tenant said of a pass or a category, as `Subscription.about` names it."""
        return self._subscriptions.get((tenant_id, about))

    def subscriptions(self) -> list[Said[Subscription]]:
        """What tenants said that they want or do not want, by tenant."""
        return [said for _, said in sorted(self._subscriptions.items())]

    def prompts(self) -> Iterator[PromptTemplate]:
        """The prompts of all versions; one that several use comes as often."""
        for name in self.names():
            for said in self.versions(name):
                if said.body.definition.prompt is not None:
                    yield said.body.definition.prompt


def _check_room(is_known: bool, count: int, limit: int) -> None:
    if not is_known and count >= limit:
        raise ConfigFull(f"more than {limit}")
