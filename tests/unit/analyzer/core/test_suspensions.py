"""A pass that was applied with other code than a process has is left to others."""

from dataclasses import replace

from parley.passes.applied import AppliedPass
from services.analyzer.core.suspensions import (
    NOT_INSTALLED,
    OTHER_FINGERPRINT,
    Suspension,
    suspensions,
)
from tests.unit.passes.samples import CODE, PROMPT, active, applied, catalog, change

IN_FORCE = change(active((1, 0)))


def test_what_is_installed_as_it_was_applied_is_run() -> None:
    assert suspensions(catalog(change(applied()), IN_FORCE), [CODE]) == set()


def test_other_code_under_the_same_version_is_suspended() -> None:
    other = replace(CODE, parameters={"x": 1})
    found = suspensions(catalog(change(applied()), IN_FORCE), [other])
    assert found == {Suspension("turns", 1, OTHER_FINGERPRINT, CODE.fingerprint)}
    # Also where this release computes another fingerprint from the same words.
    foreign = catalog(change(AppliedPass(CODE, "f" * 64)), IN_FORCE)
    assert suspensions(foreign, [CODE]) == {Suspension("turns", 1, OTHER_FINGERPRINT, "f" * 64)}


def test_code_that_is_not_here_is_left_to_others() -> None:
    found = suspensions(catalog(change(applied()), IN_FORCE), [replace(CODE, version=2)])
    assert found == {Suspension("turns", 1, NOT_INSTALLED, CODE.fingerprint)}


def test_what_is_not_in_force_is_nobodys_to_suspend() -> None:
    disabled = change(active((1, 0)).disabled())
    assert suspensions(catalog(change(applied()), disabled), []) == set()


def test_a_prompt_needs_no_code_but_the_fingerprint_under_which_it_was_applied() -> None:
    in_force = change(active((2, 0), name="summary"))
    assert suspensions(catalog(change(applied(PROMPT)), in_force), []) == set()
    foreign = catalog(change(AppliedPass(PROMPT, "f" * 64)), in_force)
    found = Suspension("summary", 2, OTHER_FINGERPRINT, "f" * 64)
    assert suspensions(foreign, []) == {found}
