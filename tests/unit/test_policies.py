"""Which policy counts for an event, and what the next version is called."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from parley import policies as module
from parley.config import ConfigChange, ConfigKey, ConfigKind, GapPolicy, Tenant
from parley.events import Policy
from parley.policies import EVERYBODY, Policies, Scope, TooManyPolicies
from parley.previewing.request import PreviewRequest, as_of_now, stamp_of, with_version

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = {"": Policy(), "demo": Policy("channel:demo", idle_gap=timedelta(seconds=8))}

BOTH, TENANT, CHANNEL = Scope("acme", "phone"), Scope("acme", ""), Scope("", "phone")


def change(
    scope: Scope, version: int, minutes: int = 5, *, withdrawn: bool = False
) -> ConfigChange:
    policy = Policy(scope.policy_id, version, timedelta(minutes=minutes))
    body = GapPolicy(scope.channel, policy, withdrawn)
    return ConfigChange(scope.tenant_id, "ops", NOON, body)


def policies(*changes: ConfigChange) -> Policies:
    made = Policies(SETTINGS)
    for one in changes:
        made.apply(one)
    return made


@pytest.mark.parametrize(
    ("scopes", "tenant", "channel", "named"),
    [
        ((), "acme", "phone", "default"),
        ((), "acme", "demo", "channel:demo"),
        ((EVERYBODY,), "acme", "phone", "default"),
        # What was set outranks a setting, however narrow that is.
        ((EVERYBODY,), "acme", "demo", "default"),
        ((CHANNEL, EVERYBODY), "acme", "phone", "channel:phone"),
        ((CHANNEL, EVERYBODY), "acme", "chat", "default"),
        ((TENANT, CHANNEL, EVERYBODY), "acme", "phone", "tenant:acme"),
        ((TENANT, CHANNEL, EVERYBODY), "other", "phone", "channel:phone"),
        ((TENANT,), "other", "demo", "channel:demo"),
        ((BOTH, TENANT, CHANNEL, EVERYBODY), "acme", "phone", "tenant:acme/channel:phone"),
        ((BOTH, TENANT, CHANNEL, EVERYBODY), "acme", "chat", "tenant:acme"),
        ((BOTH,), "acme", "chat", "default"),
        ((TENANT,), "acme", "", "tenant:acme"),
    ],
)
def test_the_narrowest_that_was_set_counts_and_settings_come_last(
    scopes: tuple[Scope, ...], tenant: str, channel: str, named: str
) -> None:
    # Whatever the order in which they come.
    for order in (scopes, scopes[::-1]):
        assert policies(*(change(one, 2) for one in order)).policy_for(
            tenant, channel
        ).policy_id == (named)


def test_of_a_scope_the_greatest_version_counts_whatever_came_last() -> None:
    made = policies(change(CHANNEL, 3, 30), change(CHANNEL, 2, 20))
    assert made.policy_for("acme", "phone").idle_gap == timedelta(minutes=30)
    made.forget(ConfigKey(ConfigKind.GAP_POLICY, "", "phone", 3))
    assert made.policy_for("acme", "phone").idle_gap == timedelta(minutes=20)
    made.forget(ConfigKey(ConfigKind.GAP_POLICY, "", "phone", 2))
    assert made.policy_for("acme", "phone") == Policy()
    assert made.count == 0


def test_a_withdrawn_policy_lets_the_next_one_count() -> None:
    made = policies(change(CHANNEL, 2), change(EVERYBODY, 2, 7), change(CHANNEL, 3, withdrawn=True))
    assert made.policy_for("acme", "phone").policy_id == "default"
    assert made.source_of("acme", "phone") == EVERYBODY
    made.apply(change(CHANNEL, 4))
    assert made.policy_for("acme", "phone").version == 4


def test_versions_only_grow_and_never_take_a_settings_number() -> None:
    made = policies()
    # What the settings say is version 1 of "default" and of each "channel:…".
    assert [made.next_version(one) for one in (EVERYBODY, CHANNEL, TENANT, BOTH)] == [2, 2, 1, 1]
    made = policies(change(CHANNEL, 2), change(CHANNEL, 3, withdrawn=True), change(TENANT, 1))
    assert [made.next_version(one) for one in (EVERYBODY, CHANNEL, TENANT, BOTH)] == [2, 4, 2, 1]


def test_the_same_object_is_given_until_another_counts() -> None:
    made = policies(change(CHANNEL, 2))
    assert made.policy_for("a", "phone") is made.policy_for("b", "phone")
    assert made.policy_for("a", "chat") is made.policy_for("b", "mail")


def test_more_versions_than_are_kept_are_refused_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_VERSIONS", 1)
    made = policies(change(CHANNEL, 2))
    with pytest.raises(TooManyPolicies):
        made.apply(change(TENANT, 1))
    made.apply(change(CHANNEL, 2, 9))
    assert made.policy_for("acme", "phone").idle_gap == timedelta(minutes=9)
    assert made.policy_for("acme", "").policy_id == "default"
    made.clear()
    assert made.policy_for("acme", "phone").policy_id == "default"


def test_tenants_are_no_policies() -> None:
    made = policies(ConfigChange("acme", "ops", NOON, Tenant("acme")))
    made.forget(ConfigKey(ConfigKind.TENANT, "acme", "acme"))
    assert list(made.scopes()) == []


# --- what a preview replays under ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "tenant", "channel", "is_replaced"),
    [
        (EVERYBODY, "other", "chat", True),
        (EVERYBODY, "other", "demo", True),
        # They have policies that would go on to outrank it.
        (EVERYBODY, "acme", "chat", False),
        (EVERYBODY, "other", "phone", False),
        (CHANNEL, "other", "phone", True),
        (CHANNEL, "acme", "phone", False),
        (TENANT, "acme", "phone", True),
        (TENANT, "other", "phone", False),
        (BOTH, "acme", "phone", True),
        (BOTH, "acme", "chat", False),
    ],
)
def test_a_version_replaces_what_events_carry_only_where_it_would_count(
    scope: Scope, tenant: str, channel: str, is_replaced: bool
) -> None:
    made = policies(change(TENANT, 1), change(CHANNEL, 2))
    wanted = Policy(scope.policy_id, 9)
    stamps = with_version(made, scope, wanted)
    assert stamp_of(stamps, tenant, channel) == (wanted if is_replaced else None)


def test_what_counts_now_is_what_writers_would_stamp_now() -> None:
    for made in (
        policies(),
        policies(change(CHANNEL, 2)),
        policies(change(EVERYBODY, 2), change(TENANT, 1)),
        policies(change(CHANNEL, 2), change(CHANNEL, 3, withdrawn=True)),
    ):
        stamps = as_of_now(made, SETTINGS)
        for tenant in ("acme", "other"):
            for channel in ("", "phone", "demo"):
                expected = made.policy_for(tenant, channel)
                assert stamp_of(stamps, tenant, channel) == expected, (tenant, channel)


def test_a_request_survives_the_way_to_another_process() -> None:
    policy = replace(Policy("p", 3), grace=timedelta(microseconds=1), seal_on_end=True)
    request = PreviewRequest({CHANNEL: policy, TENANT: None}, "acme", "phone", NOON)
    assert PreviewRequest.from_json(request.to_json()) == request
