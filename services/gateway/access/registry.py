"""The tenants and API keys that count now, by the latest record of each."""

from dataclasses import dataclass
from typing import Final

from parley.config import ApiKey, ConfigChange, ConfigKind, Tenant
from services.gateway import metrics

MAX_TENANTS: Final = 10_000
MAX_KEYS: Final = 100_000


class RegistryFull(Exception):
    """More tenants or keys than a gateway keeps: the new one is refused, the others go on."""


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A key and whose it is."""

    tenant_id: str
    key: ApiKey


class Registry:
    """What the config topic says of tenants and keys; what it does not say is refused."""

    def __init__(self, max_tenants: int = MAX_TENANTS, max_keys: int = MAX_KEYS) -> None:
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
        """Let a record count; raises RegistryFull for one thing too many."""
        match change.body:
            case Tenant() as tenant:
                _check_room(self._tenants, tenant.name, self._max_tenants)
                self._tenants[tenant.name] = tenant
            case ApiKey(revoked_at=None) as key:
                _check_room(self._keys, key.key_id, self._max_keys)
                self._keys[key.key_id] = OwnedKey(change.tenant_id, key)
            case ApiKey() as key:
                # As good as unknown, so that revoked keys take no room.
                self.forget(ConfigKind.API_KEY, change.tenant_id, key.key_id)
        self._count()

    def forget(self, kind: ConfigKind, tenant_id: str, name: str) -> None:
        """From now on nobody knows it."""
        if kind is ConfigKind.TENANT:
            self._tenants.pop(name, None)
        elif (owned := self._keys.get(name)) is not None and owned.tenant_id == tenant_id:
            del self._keys[name]
        self._count()

    def clear(self) -> None:
        """Know nothing, as before the first record."""
        self._tenants.clear()
        self._keys.clear()
        self._count()

    def _count(self) -> None:
        metrics.CONFIG_ENTRIES.labels(ConfigKind.TENANT).set(len(self._tenants))
        metrics.CONFIG_ENTRIES.labels(ConfigKind.API_KEY).set(len(self._keys))


def _check_room(present: dict[str, Tenant] | dict[str, OwnedKey], name: str, limit: int) -> None:
    if name not in present and len(present) >= limit:
        raise RegistryFull(f"more than {limit}")
