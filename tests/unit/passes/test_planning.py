"""What applying writes: what is new, what stays, and what is refused before anything is written."""

from dataclasses import replace
from datetime import timedelta

import pytest

from parley.errors import UserError
from parley.passes.applied import AppliedPass, PassActivation
from parley.passes.catalog import Catalog
from parley.passes.definition import PassDefinition, PromptTemplate
from parley.passes.planning import Change, Standing, Step, Wanted, plan, put_in_force
from tests.unit.passes.samples import CODE, NOON, PROMPT, active, applied, catalog, change

LATER = NOON + timedelta(hours=1)
TWO = replace(CODE, version=2)


def steps(known: Catalog, *definitions: PassDefinition, enabled: bool = True) -> list[Step]:
    return plan(known, [Wanted(one, enabled) for one in definitions], LATER)


def told(step: Step) -> tuple[Change, Standing]:
    return step.change, step.standing


def versions(activation: PassActivation | None) -> list[tuple[int, bool]]:
    assert activation is not None
    return [(one.version, one.since is not None) for one in activation.versions]


def test_a_first_version_is_put_in_force_without_offsets() -> None:
    (step,) = steps(catalog(), CODE)
    assert told(step) == (Change.NEW, Standing.IN_FORCE)
    assert versions(step.activation) == [(1, False)]


def test_the_next_version_takes_the_place_of_the_one_in_force() -> None:
    (step,) = steps(catalog(change(applied()), change(active((1, 5)))), TWO)
    assert told(step) == (Change.NEW, Standing.IN_FORCE)
    assert versions(step.activation) == [(1, True), (2, False)]


def test_of_several_versions_the_latest_is_in_force_in_the_end() -> None:
    found = steps(catalog(), TWO, CODE)
    assert [one.applied.version for one in found] == [1, 2]
    assert versions(found[-1].activation) == [(2, False)]


def test_what_was_applied_before_changes_nothing() -> None:
    known = catalog(change(applied()), change(active((1, 5))))
    (step,) = steps(known, replace(CODE, parameters=dict(CODE.parameters)))
    assert told(step) == (Change.UNCHANGED, Standing.IN_FORCE)
    assert step.activation is None


def test_what_cannot_change_results_is_applied_under_the_same_version() -> None:
    known = catalog(change(applied()), change(active((1, 5))))
    (step,) = steps(known, replace(CODE, sampling=0.5, description="Else."))
    assert told(step) == (Change.UPDATED, Standing.IN_FORCE)
    assert step.activation is None


def test_a_disabled_pass_stays_disabled_whatever_is_applied() -> None:
    known = catalog(change(applied()), change(active((1, 5)).disabled()))
    for definition in (CODE, TWO):
        (step,) = steps(known, definition)
        assert (step.standing, step.activation) == (Standing.DISABLED, None)


def test_a_version_that_an_operator_went_back_from_stays_out_of_force() -> None:
    known = catalog(change(applied()), change(applied(version=2)), change(active((2, 5), (1, 9))))
    (step,) = steps(known, TWO)
    assert (step.standing, step.activation) == (Standing.NOT_IN_FORCE, None)


def test_an_earlier_version_than_the_one_in_force_is_only_kept() -> None:
    (step,) = steps(catalog(change(applied(version=2)), change(active((2, 5)))), CODE)
    assert told(step) == (Change.NEW, Standing.NOT_IN_FORCE)
    assert step.activation is None


def test_a_file_may_say_that_its_version_is_not_to_be_in_force() -> None:
    (step,) = steps(catalog(), CODE, enabled=False)
    assert told(step) == (Change.NEW, Standing.DISABLED)
    assert step.activation is None


def test_a_command_that_died_after_the_activation_is_done_again() -> None:
    # The activation is written first, so its version is not known yet.
    (step,) = steps(catalog(change(active((1, None)))), CODE)
    assert told(step) == (Change.NEW, Standing.IN_FORCE)


def test_another_fingerprint_under_the_same_version_is_refused() -> None:
    with pytest.raises(UserError, match="a version has exactly one") as caught:
        steps(catalog(change(applied())), TWO, replace(CODE, parameters={"x": 1}))
    assert "Give it version 2" in caught.value.remedy
    with pytest.raises(UserError) as caught:
        steps(catalog(change(applied()), change(applied(version=4))), replace(CODE, model="x"))
    assert "Give it version 5" in caught.value.remedy
    # What the log holds counts, whoever computed it.
    foreign = catalog(change(AppliedPass(CODE, "f" * 64)))
    with pytest.raises(UserError, match="turns version 1 would give other results"):
        steps(foreign, CODE)


def test_two_definitions_of_one_version_in_one_go_are_refused() -> None:
    with pytest.raises(UserError, match="applied with it"):
        steps(catalog(), CODE, replace(CODE, parameters={"x": 1}))


def test_a_version_of_a_prompt_has_one_text() -> None:
    assert PROMPT.prompt is not None
    other = PromptTemplate(PROMPT.prompt.name, PROMPT.prompt.version, "Else", PROMPT.prompt.user)
    second = replace(PROMPT, name="other", prompt=other)
    with pytest.raises(UserError, match="another text of the prompt summarise version 4"):
        steps(catalog(change(applied(PROMPT))), second)
    assert steps(catalog(change(applied(PROMPT))), replace(second, prompt=PROMPT.prompt))


def test_enabling_what_is_in_force_changes_nothing_and_goes_back_where_asked() -> None:
    known = catalog(change(applied()), change(applied(version=2)), change(active((1, 5), (2, 9))))
    assert put_in_force(known, "turns", None, LATER) == active((1, 5), (2, 9))
    assert versions(put_in_force(known, "turns", 1, LATER)) == [(1, True), (2, True), (1, False)]
    assert versions(put_in_force(catalog(change(applied())), "turns", None, LATER)) == [(1, False)]
    for name, version in (("gone", None), ("turns", 3)):
        with pytest.raises(UserError):
            put_in_force(known, name, version, LATER)
