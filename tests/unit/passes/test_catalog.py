"""Which passes are due: by activation, filter, subscription and sample, in whatever order told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec.config import config_key, parse_config_key
from parley.config import ConfigChange, ConfigFull, Tenant
from parley.passes import catalog as module
from parley.passes.applied import MAX_ACTIVE_VERSIONS, Subscription
from parley.passes.catalog import Catalog, Due, NotDue, SegmentFacts
from parley.passes.definition import PassDefinition, PassKind, Target
from parley.position import Position
from tests.unit.passes.samples import CODE, active, applied, catalog, change, wanted

SEGMENT = SegmentFacts("acme", "phone", 10, "0c7e7f0a-5e2d-5d3c-9b43-3f1d7d6f0a11")
ONE = change(applied())
PROMPTED = replace(CODE, kind=PassKind.PROMPT)


def place(offset: int, incarnation: str = "one", partition: int = 0) -> tuple[Position]:
    return (Position(incarnation, partition, offset),)


def versions(found: Due) -> list[int]:
    return [one.version for one in found.passes]


def reasons(found: Due) -> list[NotDue]:
    return [reason for _, reason in found.others]


def test_a_pass_that_nobody_enabled_is_not_active() -> None:
    found = catalog(ONE).due(SEGMENT)
    assert (versions(found), reasons(found)) == ([], [NotDue.NOT_ACTIVE])


def test_a_pass_is_due_from_the_offset_on_at_which_it_was_enabled() -> None:
    made = catalog(ONE, change(active((1, 100))))
    assert reasons(made.due(SEGMENT, place(99))) == [NotDue.NOT_ACTIVE]
    assert versions(made.due(SEGMENT, place(100))) == [1]
    # Each partition has its own.
    assert versions(made.due(SEGMENT, place(0, partition=1))) == [1]
    # A partition that there was not yet has only later seals.
    assert versions(made.due(SEGMENT, place(0, partition=2))) == [1]


def test_an_enabled_pass_without_offsets_is_due_for_every_seal() -> None:
    made = catalog(ONE, change(active((1, None))))
    assert versions(made.due(SEGMENT, place(0))) == [1]


def test_offsets_of_another_incarnation_exclude_no_seal() -> None:
    made = catalog(ONE, change(active((1, 100))))
    assert versions(made.due(SEGMENT, place(5, "two"))) == [1]


def test_a_copied_seal_counts_by_where_it_lay_first() -> None:
    made = catalog(ONE, change(active((1, 100))))
    copied = (Position("two", 0, 7), Position("one", 0, 99))
    assert reasons(made.due(SEGMENT, copied)) == [NotDue.NOT_ACTIVE]


def test_a_seal_that_is_read_late_gets_the_version_of_its_time() -> None:
    both = change(applied(version=2))
    made = catalog(ONE, both, change(active((1, 100), (2, 200))))
    found = [versions(made.due(SEGMENT, place(offset))) for offset in (99, 100, 199, 200)]
    assert found == [[], [1], [1], [2]]
    # While nobody knows where the second one begins, it counts for all.
    made.apply(change(active((1, 100), (2, None))))
    assert versions(made.due(SEGMENT, place(150))) == [2]


def test_a_version_that_is_not_there_yet_leaves_the_former_one_in_force() -> None:
    made = catalog(ONE, change(active((1, 100), (2, None))))
    assert versions(made.due(SEGMENT, place(150))) == [1]
    made.apply(change(applied(version=2)))
    assert versions(made.due(SEGMENT, place(150))) == [2]


def test_of_a_disabled_pass_no_version_is_due() -> None:
    made = catalog(ONE, change(active((1, 100)).disabled()))
    assert reasons(made.due(SEGMENT, place(500))) == [NotDue.NOT_ACTIVE]


@pytest.mark.parametrize(
    "target",
    [Target(tenant_ids=("other",)), Target(channels=("chat",)), Target(min_messages=11)],
)
def test_a_segment_beside_the_target_is_filtered(target: Target) -> None:
    made = catalog(change(applied(target=target)), change(active((1, 0))))
    assert reasons(made.due(SEGMENT)) == [NotDue.FILTERED]


def test_a_segment_outside_the_sample_is_not_due() -> None:
    made = catalog(change(applied(sampling=0.0)), change(active((1, 0))))
    assert reasons(made.due(SEGMENT)) == [NotDue.NOT_SAMPLED]


@pytest.mark.parametrize(
    ("definition", "subscriptions", "is_due"),
    [
        (CODE, [], True),
        (PROMPTED, [], False),
        (PROMPTED, [wanted("turns")], True),
        (PROMPTED, [wanted("statistics", category=True)], True),
        # A category's name is no pass's.
        (PROMPTED, [wanted("statistics")], False),
        (CODE, [wanted("turns", on=False)], False),
        (CODE, [wanted("statistics", category=True, on=False)], False),
        # The pass's own setting wins.
        (CODE, [wanted("statistics", category=True, on=False), wanted("turns")], True),
        (PROMPTED, [wanted("statistics", category=True), wanted("turns", on=False)], False),
    ],
)
def test_a_tenant_gets_code_by_default_and_prompts_when_it_wants_them(
    definition: PassDefinition, subscriptions: list[Subscription], is_due: bool
) -> None:
    told = [change(one, "acme") for one in subscriptions]
    # What another tenant wants is of no consequence.
    told += [change(replace(one, is_enabled=not one.is_enabled), "other") for one in subscriptions]
    found = catalog(change(applied(definition)), change(active((1, 0))), *told).due(SEGMENT)
    assert versions(found) == ([1] if is_due else [])
    assert reasons(found) == ([] if is_due else [NotDue.NOT_SUBSCRIBED])


def test_what_is_forgotten_counts_no_more() -> None:
    unwanted = change(wanted("turns", on=False), "acme")
    told = [ONE, change(active((1, 0))), unwanted]
    made = catalog(*told)
    forget(made, unwanted)
    assert versions(made.due(SEGMENT)) == [1]
    forget(made, told[1])
    assert reasons(made.due(SEGMENT)) == [NotDue.NOT_ACTIVE]
    forget(made, told[0])
    assert made.due(SEGMENT) == Due()
    assert made.names() == []


def forget(made: Catalog, told: ConfigChange) -> None:
    about = parse_config_key(config_key(told))
    assert about is not None
    made.forget(about)


def test_there_is_a_bound_to_everything_and_what_is_known_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MAX_DEFINITIONS", "MAX_ACTIVATIONS", "MAX_SUBSCRIPTIONS"):
        monkeypatch.setattr(module, name, 1)
    made = catalog(ONE, change(active((1, 0))), change(wanted("turns"), "acme"))
    for refused in (
        change(applied(version=2)),
        change(active((1, 0), name="other")),
        change(wanted("other"), "acme"),
    ):
        with pytest.raises(ConfigFull):
            made.apply(refused)
    made.apply(change(applied(priority=3)))
    assert [one.definition.priority for one in made.due(SEGMENT).passes] == [3]
    made.clear()
    made.apply(change(applied(version=2)))
    assert made.latest("turns").version == 2


def test_a_switch_of_versions_keeps_the_former_ones_and_a_pause_ends_them() -> None:
    first = active((1, 100))
    switched = first.switched_to(2, SEGMENT_AT)
    assert [(one.version, one.since is None) for one in switched.versions] == [
        (1, False),
        (2, True),
    ]
    # One that was never finished is left out.
    assert [one.version for one in switched.switched_to(3, SEGMENT_AT).versions] == [1, 3]
    assert [one.version for one in first.disabled().switched_to(1, SEGMENT_AT).versions] == [1]
    many = first
    for version in range(2, 40):
        position = active((1, version)).latest.since
        assert position is not None
        many = many.switched_to(version, SEGMENT_AT).placed(position)
    assert len(many.versions) == MAX_ACTIVE_VERSIONS
    assert many.latest.version == 39


SEGMENT_AT = active((1, 0)).latest.activated_at

CHANGES = st.one_of(
    st.builds(
        lambda version, priority: change(applied(version=version, priority=priority)),
        st.integers(1, 3),
        st.integers(0, 1),
    ),
    st.builds(
        lambda first, second, on: change(replace(active((1, first), (2, second)), is_enabled=on)),
        st.integers(0, 50),
        st.one_of(st.none(), st.integers(50, 90)),
        st.booleans(),
    ),
    st.builds(
        lambda name, category, on: change(wanted(name, category=category, on=on), "acme"),
        st.sampled_from(["turns", "statistics"]),
        st.booleans(),
        st.booleans(),
    ),
    st.just(ConfigChange("acme", "ops", SEGMENT_AT, Tenant("acme"))),
)


@given(st.lists(CHANGES, max_size=12), st.randoms(use_true_random=False), st.data())
def test_order_between_things_and_repetition_do_not_matter(
    changes: list[ConfigChange], random: object, data: st.DataObject
) -> None:
    in_order = catalog(*changes)
    latest = list({config_key(one): one for one in changes}.values())
    # Of each thing the latest record, in any order, and once more what was said before.
    shuffled = data.draw(st.permutations(latest))
    compacted = catalog(*shuffled, *shuffled)
    for offset in (0, 45, 60, 95):
        assert compacted.due(SEGMENT, place(offset)) == in_order.due(SEGMENT, place(offset))
    assert compacted.subscriptions() == in_order.subscriptions()
