"""Which versions a backfill runs, and what one is told who names another."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from parley.backfilling.choosing import choose
from parley.config import ConfigChange
from parley.errors import UserError
from parley.passes.applied import ActiveVersion, AppliedPass, PassActivation
from parley.passes.catalog import Catalog
from parley.passes.definition import PassDefinition, PassKind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = PassDefinition("sentiment", 1, PassKind.CODE, "feeling", "…", {})


@pytest.fixture
def catalog() -> Catalog:
    made = Catalog()
    for version in (1, 2):
        applied = AppliedPass.of(replace(FIRST, version=version))
        made.apply(ConfigChange("", "tester", NOON, applied))
    made.apply(ConfigChange("", "tester", NOON, AppliedPass.of(replace(FIRST, name="language"))))
    enabled = PassActivation("sentiment", True, (ActiveVersion(2, NOON),))
    made.apply(ConfigChange("", "tester", NOON, enabled))
    return made


def versions(catalog: Catalog, *names: str, takes_all: bool = False) -> list[tuple[str, int]]:
    return [(one.name, one.version) for one in choose(catalog, names, takes_all=takes_all)]


def test_a_name_is_the_version_in_force(catalog: Catalog) -> None:
    assert versions(catalog, "sentiment", "sentiment") == [("sentiment", 2)]


def test_a_version_may_be_named(catalog: Catalog) -> None:
    assert versions(catalog, "sentiment@1", "language@1") == [("sentiment", 1), ("language", 1)]


def test_all_are_those_that_are_enabled(catalog: Catalog) -> None:
    assert versions(catalog, takes_all=True) == [("sentiment", 2)]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["sentimant"], "Did you mean sentiment"),
        (["language"], "not enabled"),
        (["sentiment@7"], "It has: 1, 2."),
        (["sentiment@x"], "It has: 1, 2."),
    ],
)
def test_what_cannot_be_run_is_told(catalog: Catalog, names: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        choose(catalog, names, takes_all=False)


def test_names_beside_all_are_refused(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="--all"):
        choose(catalog, ["sentiment"], takes_all=True)
