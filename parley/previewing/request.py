"""What a preview is to replay: under which policies, and what of it is asked for."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from parley.codec.policies import read_policy, write_policy
from parley.events import Policy
from parley.policies import EVERYBODY, Policies, Scope, scopes_of
from parley.wire import policy_pb2

Stamps = Mapping[Scope, Policy | None]
"""By scope the policy that events are replayed under; None leaves them the one they carry."""


def with_version(policies: Policies, scope: Scope, policy: Policy) -> Stamps:
    """As if the version had always counted, where it would; everything else stays."""
    return {**dict.fromkeys(policies.in_force()), scope: policy}


def as_of_now(policies: Policies, settings: Mapping[str, Policy]) -> Stamps:
    """As if what counts now had always counted."""
    in_force: dict[Scope, Policy | None] = {**policies.in_force()}
    if EVERYBODY in in_force:
        # It outranks all settings.
        return in_force
    return {Scope("", channel): policy for channel, policy in settings.items()} | in_force


def stamp_of(stamps: Stamps, tenant_id: str, channel: str) -> Policy | None:
    """The policy that an event is replayed under; None for the one that it carries."""
    for scope in scopes_of(tenant_id, channel):
        if scope in stamps:
            return stamps[scope]
    return None


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """What is asked for: of one tenant, of one channel, of segments that end since a moment."""

    stamps: Stamps
    tenant_id: str = ""
    channel: str = ""
    since: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """As another process is told it."""
        return {
            "stamps": [[*scope, _to_text(policy)] for scope, policy in self.stamps.items()],
            "tenant_id": self.tenant_id,
            "channel": self.channel,
            "since": None if self.since is None else self.since.isoformat(),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Back from what another process told."""
        stamps = {
            Scope(tenant_id, channel): _from_text(text)
            for tenant_id, channel, text in told["stamps"]
        }
        since = None if told["since"] is None else datetime.fromisoformat(told["since"])
        return cls(stamps, told["tenant_id"], told["channel"], since)


def _to_text(policy: Policy | None) -> str | None:
    if policy is None:
        return None
    wire = policy_pb2.Policy()
    write_policy(wire, policy)
    return b64encode(wire.SerializeToString()).decode()


def _from_text(text: str | None) -> Policy | None:
    return None if text is None else read_policy(policy_pb2.Policy.FromString(b64decode(text)))
