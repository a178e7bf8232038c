"""What a person may ask of a policy, and what the next version is."""

from datetime import UTC, datetime, timedelta

import pytest

from parley.cli.policy import listing
from parley.cli.policy.options import Wanted, differences, next_policy, scope_of, shown
from parley.cli.policy.setting import _outranks
from parley.cli.times import duration_of, duration_text
from parley.config import ConfigChange, GapPolicy
from parley.errors import UserError
from parley.events import Policy
from parley.policies import EVERYBODY, Policies, Scope


def test_what_is_left_out_stays_as_it_counts_there_now() -> None:
    policies = Policies({"": Policy(), "demo": Policy("channel:demo", grace=timedelta(seconds=2))})
    scope = Scope("", "demo")
    made = next_policy(policies, scope, Wanted(idle_gap="20m", seal_on_end=True))
    assert made == Policy(
        "channel:demo", 2, timedelta(minutes=20), timedelta(seconds=2), seal_on_end=True
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    policies.apply(ConfigChange("", "ops", now, GapPolicy("demo", made)))
    again = next_policy(policies, scope, Wanted(max_messages=100))
    assert (again.version, again.idle_gap, again.max_messages) == (3, timedelta(minutes=20), 100)
    assert differences(made, again) == ["max_messages"]
    # A narrower one begins as what counts for it: the channel's.
    narrower = next_policy(policies, Scope("acme", "demo"), Wanted(grace="5s"))
    assert (narrower.policy_id, narrower.version) == ("tenant:acme/channel:demo", 1)
    assert narrower.idle_gap == timedelta(minutes=20)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (Wanted(idle_gap="0s"), "--idle-gap 0s"),
        (Wanted(idle_gap="31d", max_duration="60d"), "--idle-gap 31d"),
        (Wanted(idle_gap="soon"), "--idle-gap soon is not understood"),
        (Wanted(idle_gap="90"), "--idle-gap 90 is not understood"),
        (Wanted(grace="-1s"), "--grace -1s is not understood"),
        (Wanted(grace="25h"), "--grace 25h"),
        (Wanted(max_duration="59s", idle_gap="1s"), "--max-duration 59s"),
        (Wanted(max_duration="367d"), "--max-duration 367d"),
        (Wanted(max_messages=1), "--max-messages 1 "),
        (Wanted(max_messages=100_001), "--max-messages 100001 "),
        (Wanted(max_duration="89m"), "may last 89m would never see a silence of 90m"),
        (Wanted(idle_gap="25h"), "may last 24h would never see a silence of 25h"),
    ],
)
def test_what_nobody_can_mean_is_refused_with_what_to_give(wanted: Wanted, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        wanted.over(Policy())
    assert problem in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(idle_gap="1s"),
        Wanted(idle_gap="30d", max_duration="366d"),
        Wanted(grace="0s"),
        Wanted(grace="1d"),
        Wanted(max_duration="90m"),
        Wanted(max_messages=2),
        Wanted(max_messages=100_000),
        Wanted(seal_on_end=False),
    ],
)
def test_the_bounds_themselves_are_allowed(wanted: Wanted) -> None:
    wanted.over(Policy())


def test_nothing_asked_for_is_known_as_such() -> None:
    assert Wanted().is_empty()
    assert not Wanted(seal_on_end=False).is_empty()


@pytest.mark.parametrize("text", ["8s", "90s", "90m", "24h", "36h", "2d", "366d"])
def test_a_span_is_shown_as_it_may_be_typed(text: str) -> None:
    span = duration_of("--grace", text)
    assert duration_of("--grace", duration_text(span)) == span
    assert duration_text(timedelta(minutes=90)) == "90m"


def test_a_policy_is_shown_for_people_and_for_programs() -> None:
    row = shown(Policy())
    assert (row["idle_gap"], row["idle_gap_seconds"], row["grace"]) == ("90m", 5400, "1m")
    assert (row["seal_on_end"], row["max_duration"], row["max_messages"]) == (False, "24h", 5_000)


@pytest.mark.parametrize("scope", [("a\0", ""), ("", "c" * 513), ("t" * 300, "c" * 300)])
def test_names_that_no_event_could_carry_are_refused(scope: tuple[str, str]) -> None:
    with pytest.raises(UserError):
        scope_of(*scope)


@pytest.mark.parametrize(
    ("other", "scope", "outranks"),
    [
        (Scope("a", "p"), Scope("a", ""), True),
        (Scope("a", "p"), Scope("", "p"), True),
        (Scope("a", ""), Scope("", "p"), True),
        (Scope("", "p"), EVERYBODY, True),
        (Scope("a", "q"), Scope("", "p"), False),
        (Scope("b", "p"), Scope("a", ""), False),
        (Scope("", "p"), Scope("a", ""), False),
        (EVERYBODY, Scope("", "p"), False),
        (EVERYBODY, EVERYBODY, False),
    ],
)
def test_what_outranks_a_policy_for_a_part_of_it(
    other: Scope, scope: Scope, outranks: bool
) -> None:
    assert _outranks(other, scope) == outranks


# --- lists ----------------------------------------------------------------------------------------


def listed(*scopes: Scope, tenant: str | None = None, channel: str | None = None) -> list[str]:
    """The names of the rows, with those that are outranked in brackets."""
    settings = {"": Policy(), "demo": Policy("channel:demo")}
    policies = Policies(settings)
    for one in scopes:
        body = GapPolicy(one.channel, Policy(one.policy_id, 2))
        policies.apply(ConfigChange(one.tenant_id, "ops", datetime(2026, 1, 1, tzinfo=UTC), body))
    rows = [
        *listing._set_rows(policies, every_version=False),
        *listing._setting_rows(policies, settings),
    ]
    chosen = [row for row in rows if listing._bears_on(row, tenant, channel)]
    names = {"in force": "{}", "outranked": "({})"}
    return [names[row["state"]].format(row["policy_id"]) for row in chosen]


BOTH, TENANT, CHANNEL = Scope("a", "p"), Scope("a", ""), Scope("", "p")


@pytest.mark.parametrize(
    ("scopes", "asked", "names"),
    [
        ((), {}, ["channel:demo", "default"]),
        ((EVERYBODY,), {}, ["default", "(channel:demo)", "(default)"]),
        ((Scope("", "demo"),), {}, ["channel:demo", "(channel:demo)", "default"]),
        (
            (EVERYBODY, CHANNEL, TENANT, BOTH),
            {"tenant": "a", "channel": "p"},
            ["tenant:a/channel:p", "tenant:a", "channel:p", "default", "(default)"],
        ),
        ((CHANNEL, TENANT, BOTH), {"tenant": "b", "channel": "p"}, ["channel:p", "default"]),
        ((CHANNEL, TENANT), {"tenant": "b"}, ["channel:p", "channel:demo", "default"]),
        ((CHANNEL, TENANT, BOTH), {"channel": "q"}, ["tenant:a", "default"]),
    ],
)
def test_policies_are_listed_as_they_outrank_each_other(
    scopes: tuple[Scope, ...], asked: dict[str, str], names: list[str]
) -> None:
    assert listed(*scopes, **asked) == names
