"""Which gap policy counts for a tenant and a channel: what operators set, then the settings."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from parley.config import ConfigChange, ConfigFull, ConfigKey, ConfigKind, GapPolicy
from parley.events import Policy

# The settings' policies are the first version of what they are called.
SETTINGS_VERSION: Final = 1
MAX_VERSIONS: Final = 100_000


class TooManyPolicies(ConfigFull):
    """More versions than are kept: the new one is refused, the others go on."""


class Scope(NamedTuple):
    """For whom a policy is set; empty is every tenant, or every channel."""

    tenant_id: str = ""
    channel: str = ""

    @property
    def policy_id(self) -> str:
        """The name that events of this scope's policy carry."""
        parts = (("tenant", self.tenant_id), ("channel", self.channel))
        return "/".join(f"{kind}:{name}" for kind, name in parts if name) or "default"


EVERYBODY: Final = Scope()


def scopes_of(tenant_id: str, channel: str) -> tuple[Scope, ...]:
    """Where a policy for an event may have been set; the first one that has any counts."""
    return Scope(tenant_id, channel), Scope(tenant_id, ""), Scope("", channel), EVERYBODY


class Policies:
    """The versions that operators set, by scope, over the settings' policies.

    The settings' are by channel, the default one under the empty name; whatever an operator set
    comes before all of them. The same object is returned until another one counts.
    """

    def __init__(self, settings: Mapping[str, Policy]) -> None:
        self._settings = settings
        self._versions: dict[Scope, dict[int, ConfigChange]] = {}
        self.count = 0
        """How many versions there are, of all scopes."""
        # Of each scope where one is in force: what every event asks for.
        self._in_force: dict[Scope, Policy] = {}

    # --- what operators set -------------------------------------------------------------------

    def apply(self, change: ConfigChange) -> None:
        """Let a version count; raises TooManyPolicies."""
        if not isinstance(change.body, GapPolicy):
            return
        scope, version = Scope(change.tenant_id, change.body.channel), change.body.policy.version
        versions = self._versions.setdefault(scope, {})
        if version not in versions and self.count >= MAX_VERSIONS:
            raise TooManyPolicies(f"more than {MAX_VERSIONS}")
        self.count += version not in versions
        versions[version] = change
        self._settle(scope)

    def forget(self, about: ConfigKey) -> None:
        """A version is gone; the greatest one that is left counts."""
        scope = Scope(about.tenant_id, about.name)
        if about.kind is not ConfigKind.GAP_POLICY:
            return
        if self._versions.get(scope, {}).pop(about.version, None) is not None:
            self.count -= 1
            self._settle(scope)

    def clear(self) -> None:
        """Know nothing but the settings, as before the first record."""
        self._versions.clear()
        self._in_force.clear()
        self.count = 0

    def _settle(self, scope: Scope) -> None:
        latest = self.latest(scope)
        if latest is None or _gap_policy(latest).is_withdrawn:
            self._in_force.pop(scope, None)
        else:
            self._in_force[scope] = _gap_policy(latest).policy

    # --- what counts --------------------------------------------------------------------------

    def policy_for(self, tenant_id: str, channel: str) -> Policy:
        """The policy that a writer stamps on an event."""
        if self._in_force:
            for scope in scopes_of(tenant_id, channel):
                if scope in self._in_force:
                    return self._in_force[scope]
        return self.setting_for(channel)

    def in_force(self) -> dict[Scope, Policy]:
        """What operators set and did not withdraw, by scope."""
        return dict(self._in_force)

    def source_of(self, tenant_id: str, channel: str) -> Scope | None:
        """For whom the policy that counts here was set; None where it is a setting's."""
        found = (one for one in scopes_of(tenant_id, channel) if one in self._in_force)
        return next(found, None)

    def setting_for(self, channel: str) -> Policy:
        """What the settings say, whatever operators have set."""
        return self._settings.get(channel, self._settings[""])

    # --- versions -----------------------------------------------------------------------------

    def scopes(self) -> Iterator[Scope]:
        """Every scope that ever had a version, sorted."""
        return iter(sorted(scope for scope, versions in self._versions.items() if versions))

    def versions(self, scope: Scope) -> list[ConfigChange]:
        """What was set for a scope, the first one first."""
        return [change for _, change in sorted(self._versions.get(scope, {}).items())]

    def latest(self, scope: Scope) -> ConfigChange | None:
        """What was set last for a scope."""
        return next(reversed(self.versions(scope)), None)

    def next_version(self, scope: Scope) -> int:
        """The number of the version that would be set next: never one that events carry."""
        last = SETTINGS_VERSION if not scope.tenant_id else 0
        return max([last, *self._versions.get(scope, {})]) + 1


def _gap_policy(change: ConfigChange) -> GapPolicy:
    assert isinstance(change.body, GapPolicy)  # noqa: S101 - apply() takes nothing else
    return change.body
