"""The view of verdicts that count: of segments as they stand, with the newest version marked."""

from typing import Any

import pytest

from parley.db.roles import Role
from parley.db.schema.analysis import segments, verdicts
from parley.ids import derived_id
from tests.integration.db.conftest import Connect
from tests.integration.gateway.rows import insert
from tests.support.rows import fill

pytestmark = pytest.mark.integration

SEGMENT = derived_id("segment", "one")
MERGED = derived_id("segment", "merged")


async def say(pool: Any, segment_id: str, revision: int, name: str, version: int) -> None:
    key = {"segment_id": segment_id, "revision": revision}
    await insert(pool, verdicts, **key, pass_name=name, pass_version=version)


async def test_what_counts_is_of_segments_as_they_stand_and_the_newest_version_is_marked(
    pool: Any,
) -> None:
    await insert(pool, segments, segment_id=SEGMENT, revision=2)
    await insert(pool, segments, segment_id=MERGED, revision=2, is_retracted=True)
    for name, version, revision in (
        ("mood", 1, 1),
        ("mood", 3, 1),
        ("mood", 1, 2),
        ("mood", 2, 2),
        ("topics", 1, 2),
    ):
        await say(pool, SEGMENT, revision, name, version)
    await say(pool, MERGED, 2, "mood", 1)
    rows = await pool.fetch(
        "SELECT segment_id, revision, pass_name, pass_version, is_newest_version"
        " FROM verdicts_current ORDER BY 3, 4"
    )
    assert [(row["revision"], *row[2:]) for row in rows] == [
        (2, "mood", 1, False),
        (2, "mood", 2, True),
        (2, "topics", 1, True),
    ]
    assert {str(row["segment_id"]) for row in rows} == {SEGMENT}


async def test_a_login_sees_in_it_what_it_sees_of_the_tables(
    with_roles: Any, connect: Connect
) -> None:
    await fill(with_roles)
    query = "SELECT tenant_id, conversation_id FROM verdicts_current ORDER BY 2"
    acme, ada = await connect(Role.READER, "acme"), await connect(Role.READER, "acme", "ada")
    assert [tuple(row) for row in await acme.fetch(query)] == [
        ("acme", "of ada"),
        ("acme", "of bob"),
    ]
    assert [tuple(row) for row in await ada.fetch(query)] == [("acme", "of ada")]
