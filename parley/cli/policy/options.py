"""What `set` and `preview` are told of a policy, and what no policy may say."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from parley.cli.times import duration_of, duration_text
from parley.codec import InvalidRecord
from parley.codec.validity import check_ids
from parley.errors import UserError
from parley.events import Policy
from parley.policies import Policies, Scope

TenantOption = Annotated[str, typer.Option(help="Whose; without it, every tenant's.")]
ChannelOption = Annotated[str, typer.Option(help="Of which channel; without it, of all.")]
IdleGapOption = Annotated[
    str | None, typer.Option(help="The longest silence within a segment, such as 90m or 8s.")
]
GraceOption = Annotated[
    str | None, typer.Option(help="How much longer stragglers are waited for, such as 60s.")
]
SealOnEndOption = Annotated[
    bool | None,
    typer.Option(
        "--seal-on-end/--no-seal-on-end",
        help="Whether the end of the last open session ends the segment: for calls.",
    ),
]
MaxDurationOption = Annotated[
    str | None, typer.Option(help="How long a segment may become, such as 24h.")
]
MaxMessagesOption = Annotated[
    int | None, typer.Option(help="How many messages a segment may come to hold.")
]

# Wider ones could be followed, but would not be what anybody means.
_BOUNDS: Final = {
    "idle_gap": (timedelta(seconds=1), timedelta(days=30)),
    "grace": (timedelta(0), timedelta(days=1)),
    "max_duration": (timedelta(minutes=1), timedelta(days=366)),
}
_FEWEST_MESSAGES: Final = 2
_MOST_MESSAGES: Final = 100_000
_FIELDS: Final = ("idle_gap", "grace", "seal_on_end", "max_duration", "max_messages")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options as they were given; what was left out stays as it is."""

    idle_gap: str | None = None
    grace: str | None = None
    seal_on_end: bool | None = None
    max_duration: str | None = None
    max_messages: int | None = None

    def over(self, policy: Policy) -> Policy:
        """The policy with what was asked for; raises UserError for what no policy may say."""
        spans = {
            name: duration_of(_option(name), getattr(self, name))
            for name in _BOUNDS
            if getattr(self, name) is not None
        }
        others = {
            name: getattr(self, name)
            for name in ("seal_on_end", "max_messages")
            if getattr(self, name) is not None
        }
        changed: dict[str, Any] = {**spans, **others}
        wanted = replace(policy, **changed)
        _check(wanted)
        return wanted

    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return self == Wanted()


def next_policy(policies: Policies, scope: Scope, wanted: Wanted) -> Policy:
    """The version that would be set: what counts there now, with what was asked for."""
    before = policies.policy_for(*scope)
    version = policies.next_version(scope)
    return replace(wanted.over(before), policy_id=scope.policy_id, version=version)


def differences(before: Policy, after: Policy) -> list[str]:
    """The fields in which two policies differ, but for their names and versions."""
    return [name for name in _FIELDS if getattr(before, name) != getattr(after, name)]


def scope_of(tenant: str, channel: str) -> Scope:
    """For whom; raises UserError for what no event can carry."""
    scope = Scope(tenant, channel)
    try:
        check_ids(tenant, channel, scope.policy_id)
    except InvalidRecord as error:
        raise UserError(
            f"--tenant and --channel cannot be used: {error.detail}.", "Give shorter names."
        ) from error
    return scope


def shown(policy: Policy) -> dict[str, Any]:
    """The fields of a policy as a person types them, and spans in seconds for programs."""
    texts = {name: field_text(policy, name) for name in _FIELDS}
    seconds = {f"{name}_seconds": getattr(policy, name).total_seconds() for name in _BOUNDS}
    return {**texts, **seconds}


def field_text(policy: Policy, name: str) -> Any:
    """A field as a person types it."""
    value = getattr(policy, name)
    return duration_text(value) if isinstance(value, timedelta) else value


def _check(policy: Policy) -> None:
    for name, (least, most) in _BOUNDS.items():
        span = getattr(policy, name)
        if not least <= span <= most:
            raise UserError(
                f"{_option(name)} {duration_text(span)} cannot be used.",
                f"Give {duration_text(least)} to {duration_text(most)}.",
            )
    if not _FEWEST_MESSAGES <= policy.max_messages <= _MOST_MESSAGES:
        raise UserError(
            f"--max-messages {policy.max_messages} cannot be used.",
            f"Give {_FEWEST_MESSAGES} to {_MOST_MESSAGES}.",
        )
    if policy.max_duration < policy.idle_gap:
        raise UserError(
            f"A segment that may last {duration_text(policy.max_duration)} would never see a "
            f"silence of {duration_text(policy.idle_gap)}.",
            "Give a longer --max-duration or a shorter --idle-gap.",
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
