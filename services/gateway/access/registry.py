"""The tenants, API keys and gap policies that count now, by the latest record of each."""

from dataclasses import dataclass
from typing import Final

from parley.config import ApiKey, ConfigChange, ConfigFull, ConfigKey, ConfigKind, GapPolicy, Tenant
from parley.events import Policy
from parley.policies import Policies
from services.gateway import metrics

MAX_TENANTS: Final = 10_000
MAX_KEYS: Final = 100_000


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A key and whose it is."""

    tenant_id: str
    key: ApiKey


class Registry:
    """What the config topic says of tenants and keys, which without it are refused; and policies.

    Policies that it says nothing of are those of the settings.
    """

    def __init__(
        self,
        policies: Policies | None = None,
        *,
        max_tenants: int = MAX_TENANTS,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self.policies = policies or Policies({"": Policy()})
        self._tenants: dict[str, Tenant] = {}
        self._keys: dict[str, OwnedKey] = {}
        self._max_tenants = max_tenants
        self._max_keys = max_keys

    def is_enabled(self, tenant_id: str) -> bool:
        """Whether the tenant exists and is not disabled."""
        tenant = self._tenants.get(tenant_id)
        return tenant is not None and tenant.is_enabled

    def key(self, key_id: str) -> OwnedKey | None:
        """The key, unless nobody knows it or it was revoked."""
        return self._keys.get(key_id)

    def apply(self, change: ConfigChange) -> None:
        """Let a record count; raises ConfigFull for one thing too many."""
        match change.body:
            case Tenant() as tenant:
                _check_room(self._tenants, tenant.name, self._max_tenants)
                self._tenants[tenant.name] = tenant
            case ApiKey(revoked_at=None) as key:
                _check_room(self._keys, key.key_id, self._max_keys)
                self._keys[key.key_id] = OwnedKey(change.tenant_id, key)
            case ApiKey() as key:
                # As good as unknown, so that revoked keys take no room.
                self.forget(ConfigKey(ConfigKind.API_KEY, change.tenant_id, key.key_id))
            case GapPolicy():
                self.policies.apply(change)
        self._count()

    def forget(self, about: ConfigKey) -> None:
        """From now on nobody knows it."""
        match about.kind:
            case ConfigKind.TENANT:
                self._tenants.pop(about.name, None)
            case ConfigKind.API_KEY:
                owned = self._keys.get(about.name)
                if owned is not None and owned.tenant_id == about.tenant_id:
                    del self._keys[about.name]
            case ConfigKind.GAP_POLICY:
                self.policies.forget(about)
        self._count()

    def clear(self) -> None:
        """Know nothing, as before the first record."""
        self._tenants.clear()
        self._keys.clear()
        self.policies.clear()
        self._count()

    def _count(self) -> None:
        metrics.CONFIG_ENTRIES.labels(ConfigKind.TENANT).set(len(self._tenants))
        metrics.CONFIG_ENTRIES.labels(ConfigKind.API_KEY).set(len(self._keys))
        metrics.CONFIG_ENTRIES.labels(ConfigKind.GAP_POLICY).set(self.policies.count)


def _check_room(present: dict[str, Tenant] | dict[str, OwnedKey], name: str, limit: int) -> None:
    if name not in present and len(present) >= limit:
        raise ConfigFull(f"more than {limit}")
