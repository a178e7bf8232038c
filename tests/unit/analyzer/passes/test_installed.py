"""Installed passes are found; one that is broken is told of, and stops no other."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest
import structlog

from parley.passes.code import CodePass
from parley.passes.definition import PassKind
from parley.passes.schemas import InvalidSchema
from services.analyzer.passes import SHIPPED, load_installed
from services.analyzer.passes.installed import (
    BROKEN,
    GROUP,
    ConflictingPasses,
    InvalidPass,
    check_pass,
)
from tests.unit.analyzer.samples import code_pass

GOOD = code_pass("good", lambda _: {})
SAME_NAME = code_pass("good", lambda _: {"other": 1})
NEXT = replace(GOOD, definition=replace(GOOD.definition, version=2))
NO_PASS = "only words"


def changed(**fields: Any) -> CodePass:
    return replace(GOOD, definition=replace(GOOD.definition, **fields))


@pytest.fixture(autouse=True)
def no_broken_ones_are_left() -> Iterator[None]:
    yield
    BROKEN.set(0)


def package(folder: Path, name: str, **points: str) -> list[EntryPoint]:
    """The entry points of a package that is installed in `folder`, by names in this file."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{point} = {value}" for point, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
    return list(Distribution.at(info).entry_points)


def here(name: str) -> str:
    return f"{__name__}:{name}"


def test_every_shipped_pass_is_an_entry_point_of_parley() -> None:
    own = [one for one in entry_points(group=GROUP) if one.dist and one.dist.name == "parley"]
    assert {one.load().definition.name for one in own} == {one.definition.name for one in SHIPPED}
    assert all(one.load() in SHIPPED for one in own)


def test_what_is_installed_here_is_what_is_shipped_each_once() -> None:
    installed = load_installed(SHIPPED)
    assert sorted(one.definition.name for one in installed.passes) == sorted(
        one.definition.name for one in SHIPPED
    )
    assert not installed.broken


def test_a_pass_of_another_package_joins_the_shipped_ones(tmp_path: Path) -> None:
    points = package(tmp_path, "mine", good=here("GOOD"), next=here("NEXT"))
    installed = load_installed(SHIPPED, points)
    assert [one for one in installed.passes if one not in SHIPPED] == [GOOD, NEXT]
    assert len(installed.passes) == len(SHIPPED) + 2


async def test_a_package_that_cannot_be_imported_stops_no_other(tmp_path: Path) -> None:
    points = package(
        tmp_path,
        "mine",
        good=here("GOOD"),
        gone="no_such_module:PASS",
        lacking=here("NOT_THERE"),
        words=here("NO_PASS"),
    )
    with structlog.testing.capture_logs() as lines:
        installed = load_installed([], points)
    assert installed.passes == (GOOD,)
    assert sorted(installed.broken) == ["gone of mine", "lacking of mine", "words of mine"]
    assert installed.broken["gone of mine"].startswith("ModuleNotFoundError")
    assert BROKEN._value.get() == 3
    assert [line["entry_point"] for line in lines] == list(installed.broken)
    with pytest.raises(RuntimeError, match="words of mine: InvalidPass: is a str"):
        await installed.check()


async def test_health_has_nothing_to_say_where_all_are_loaded() -> None:
    await load_installed(SHIPPED, []).check()


def test_two_packages_with_one_pass_are_refused_by_their_names(tmp_path: Path) -> None:
    points = package(tmp_path, "mine", a=here("GOOD")) + package(
        tmp_path, "theirs", b=here("SAME_NAME")
    )
    with pytest.raises(ConflictingPasses, match="good version 1 is in the package mine and"):
        load_installed([], points)


def test_a_package_may_not_take_the_name_of_a_shipped_pass(tmp_path: Path) -> None:
    points = package(tmp_path, "mine", a=here("SAME_NAME"))
    with pytest.raises(ConflictingPasses, match="package parley and in mine"):
        load_installed([GOOD], points)


@pytest.mark.parametrize(
    "name", ["", "Upper", "1st", "a-b", "a__b", "a_", "_a", "a b", "ä", "a\n", "x" * 65]
)
def test_a_name_is_lower_snake(name: str) -> None:
    with pytest.raises(InvalidPass, match="lower_snake"):
        check_pass(changed(name=name))


def test_a_version_is_at_least_1() -> None:
    with pytest.raises(InvalidPass, match="version 0"):
        check_pass(changed(version=0))


def test_code_is_of_the_kind_code() -> None:
    with pytest.raises(InvalidPass, match="prompt"):
        check_pass(changed(kind=PassKind.PROMPT))


@pytest.mark.parametrize(
    "schema",
    [{"type": "objekt"}, {"minimum": "1"}, {"$ref": "https://example.com/schema.json"}],
    ids=["no such type", "no number", "fetched from elsewhere"],
)
def test_a_schema_is_json_schema_and_complete(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema):
        check_pass(changed(output_schema=schema))
