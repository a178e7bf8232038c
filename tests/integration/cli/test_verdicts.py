"""`parley verdicts` on real tables: what counts, what counted once, and whose."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from parley import clock
from parley.db import pool as database
from parley.db.schema.analysis import segments, verdicts
from parley.ids import derived_id
from parley.settings import Settings
from tests.integration.gateway.rows import AT, insert
from tests.support.command import Command, run_here, said

pytestmark = pytest.mark.integration

SEGMENT = derived_id("segment", "one")
OTHER = derived_id("segment", "other")


@pytest.fixture
async def filled(migrated: Settings) -> Settings:
    """Two segments: one with a former revision and two versions of a pass, one of today."""
    pool = await database.connect(migrated)
    whole = {"started_at": AT, "ended_at": AT, "channel": "phone"}
    await insert(pool, segments, segment_id=SEGMENT, revision=2, **whole)
    await insert(pool, segments, segment_id=OTHER, revision=1, conversation_id="d", **whole)
    for number, (revision, name, version) in enumerate(
        ((1, "mood", 1), (2, "mood", 1), (2, "mood", 2), (2, "topics", 1))
    ):
        await insert(
            pool,
            verdicts,
            segment_id=SEGMENT,
            revision=revision,
            pass_name=name,
            pass_version=version,
            output=orjson.dumps({"number": number, "secret": [1, 2]}).decode(),
            member_digest=b"\x01\xff",
            model="small",
            cost_micro_usd=1_500_000,
            input_tokens=10,
            latency=timedelta(milliseconds=20),
            ended_at=AT + timedelta(seconds=number),
        )
    await insert(
        pool,
        verdicts,
        segment_id=OTHER,
        revision=1,
        conversation_id="d",
        pass_name="mood",
        pass_version=1,
        ended_at=clock.now(),
    )
    await pool.close()
    return migrated


async def listed(settings: Settings, *arguments: str) -> list[Any]:
    ended = await run_here(settings, "verdicts", "list", *arguments, "-o", "json")
    assert ended.exit_code == 0, ended.output
    return [
        (one["conversation_id"], one["revision"], one["pass_name"], one["pass_version"])
        for one in orjson.loads(ended.stdout)
    ]


async def test_verdicts_are_listed_by_what_they_are_of(filled: Settings) -> None:
    current = [("d", 1, "mood", 1), ("c", 2, "topics", 1), ("c", 2, "mood", 2), ("c", 2, "mood", 1)]
    assert await listed(filled) == current
    assert await listed(filled, "--all") == [*current, ("c", 1, "mood", 1)]
    assert await listed(filled, "-c", "d") == current[:1]
    assert await listed(filled, "--segment", SEGMENT) == current[1:]
    assert await listed(filled, "--pass", "mood") == [current[0], *current[2:]]
    assert await listed(filled, "--pass", "mood@2") == [current[2]]
    assert await listed(filled, "--since", "1h") == current[:1]
    assert await listed(filled, "-n", "2") == current[:2]
    assert await listed(filled, "--tenant", "other") == []


async def test_a_segments_verdicts_are_shown_whole(filled: Settings) -> None:
    ended = await run_here(filled, "verdicts", "show", SEGMENT)
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines()[2:8] == [
        "",
        "mood@2, revision 2",
        "  number: 2",
        "  secret: 1, 2",
        "",
        "mood@1, revision 2 (former version)",
    ]
    shown = await run_here(filled, "verdicts", "show", SEGMENT, "--all", "-p", "mood", "-o", "json")
    found = orjson.loads(shown.stdout)
    assert [one["revision"] for one in found] == [2, 2, 1]
    assert [(one["is_current"], one["is_newest_version"]) for one in found] == [
        (True, True),
        (True, False),
        (False, True),
    ]
    assert found[0]["member_digest"] == "01ff"
    assert found[0]["output"] == {"number": 2, "secret": [1, 2]}


async def test_what_is_not_there_is_said_with_what_to_do(filled: Settings, parley: Command) -> None:
    ended = await asyncio.to_thread(parley, "verdicts", "show", derived_id("segment", "none"))
    assert ended.returncode == 1
    assert "parley missing" in said(ended)


async def test_an_export_may_leave_out_what_counts_no_more(filled: Settings) -> None:
    for options, revisions in (((), [1, 2, 2, 2]), (("--current",), [2, 2, 2])):
        chosen = ("export", "verdicts", "--conversation", "c", *options)
        ended = await run_here(filled, *chosen)
        assert ended.exit_code == 0, ended.output
        rows = [orjson.loads(line) for line in ended.stdout_bytes.splitlines()]
        assert sorted(row["revision"] for row in rows) == revisions
        assert {row["member_digest"] for row in rows} == {"01ff"}
        made = {(row["model"], row["cost_micro_usd"], row["latency_microseconds"]) for row in rows}
        assert made == {("small", 1_500_000, 20_000)}


async def test_stats_say_what_was_spent(filled: Settings) -> None:
    ended = await run_here(filled, "stats", "-c", "c", "-o", "json")
    found = orjson.loads(ended.stdout)
    assert (found["verdicts"], found["cost_micro_usd"]) == (4, 6_000_000)
    spent = {one["pass"]: (one["dollars"], one["input_tokens"]) for one in found["passes"]}
    assert spent == {"mood@1": (3.0, 20), "mood@2": (1.5, 10), "topics@1": (1.5, 10)}
