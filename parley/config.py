"""What operators set, as values: tenants, the keys that programs talk with, policies, passes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from parley.events import Policy
from parley.passes.applied import AppliedPass, PassActivation, Subscription
from parley.webhooks.webhook import Webhook


class ConfigKind(StrEnum):
    """What a record of the config topic may set that this part of Parley reads."""

    TENANT = "tenant"
    API_KEY = "api_key"
    RETENTION = "retention"
    GAP_POLICY = "gap_policy"
    DEFINITION = "pass_definition"
    ACTIVATION = "pass_activation"
    SUBSCRIPTION = "subscription"
    WEBHOOK = "webhook"


# Of these every version has a key of its own, and stays.
VERSIONED: Final = frozenset((ConfigKind.GAP_POLICY, ConfigKind.DEFINITION))


class AccessRole(StrEnum):
    """What the holder of a key or a token is."""

    USER = "user"
    AGENT = "agent"
    READER = "reader"
    IMPORTER = "importer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer; of a disabled one every key and every token is refused."""

    name: str
    display_name: str = ""
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by its hash: the key itself is nowhere but with whom it was made for.

    Roles are plain texts, since a later release may have more than this one knows.
    """

    key_id: str
    key_hash: bytes
    subject: str
    roles: tuple[str, ...]
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the tables keep what a tenant's people said: None for ever.

    What was said before `cutoff` is deleted from every database that is filled from this log.
    """

    keep_days: int | None = None
    cutoff: datetime | None = None


@dataclass(frozen=True, slots=True)
class GapPolicy:
    """A version of the policy of a tenant and a channel; an empty channel stands for all of them.

    A withdrawn one sets nothing: what would count without it does.
    """

    channel: str
    policy: Policy
    is_withdrawn: bool = False


class ConfigKey(NamedTuple):
    """What a record is about; a version is 0 where there are none, and the latest record counts.

    The name of a policy is its channel.
    """

    kind: ConfigKind
    tenant_id: str
    name: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Unread:
    """Something else that is set, such as a prompt, by the name of its field."""

    field: str


ConfigBody = (
    Tenant
    | ApiKey
    | Retention
    | GapPolicy
    | AppliedPass
    | PassActivation
    | Subscription
    | Webhook
    | Unread
)


class ConfigFull(Exception):
    """More of something than is kept in memory: the new one is refused, the others go on."""


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One record of the config topic: what is set from now on, by whom, and since when.

    A tenant's own record names the tenant too; a policy of all tenants names none.
    """

    tenant_id: str
    changed_by: str
    changed_at: datetime
    body: ConfigBody
