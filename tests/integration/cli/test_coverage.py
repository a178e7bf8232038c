"""`parley coverage` and `parley missing`: each segment counted once, and named with the reason."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pytest

from parley.db import pool as database
from parley.db.schema.analysis import verdicts
from parley.passes.catalog import SegmentFacts
from parley.passes.definition import Target
from parley.passes.stored import stored_catalog
from parley.results.coverage import Period, coverage
from parley.settings import Settings
from tests.integration.gateway.rows import AT, insert
from tests.support.command import run_here
from tests.support.coverage import (
    EXPECTED,
    STANDING,
    add_segment,
    configure,
    counts,
    fill,
    id_of,
)
from tests.support.rows import fill as fill_rows
from tests.unit.passes.samples import PROMPT, active, applied, wanted

pytestmark = pytest.mark.integration

ALWAYS = ("--since", "2026-01-01")


async def said(settings: Settings, *arguments: str) -> list[dict[str, Any]]:
    ended = await run_here(settings, *arguments, "-o", "json")
    assert ended.exit_code == 0, ended.output
    rows: list[dict[str, Any]] = orjson.loads(ended.stdout)
    return rows


@pytest.fixture
async def filled(migrated: Settings) -> Settings:
    pool = await database.connect(migrated)
    await fill(pool)
    await pool.close()
    return migrated


async def test_each_segment_is_counted_once_where_it_stands(filled: Settings) -> None:
    found = await said(filled, "coverage", *ALWAYS)
    assert [(one["pass"], one["day"]) for one in found] == [("turns@2", "2026-01-31")]
    assert counts(found) == EXPECTED
    assert await said(filled, "coverage", "--since", "2026-02-01") == []
    assert await said(filled, "coverage", *ALWAYS, "--pass", "summary") == []
    assert counts(await said(filled, "coverage", *ALWAYS, "--total")) == EXPECTED
    assert await said(filled, "coverage", *ALWAYS, "--tenant", "acme") == []


async def test_what_is_missing_is_named_with_the_reason(filled: Settings) -> None:
    found = {one["segment"]: one for one in await said(filled, "missing")}
    names = {id_of(name): name for name in STANDING}
    why = {names[one]: (row["why"], row["reason"]) for one, row in found.items()}
    assert why == {
        "of a former revision": ("no_job", ""),
        "of a former version": ("open", ""),
        "none": ("no_job", ""),
        "waits": ("open", ""),
        "parked": ("parked", "no_provider"),
        "failed": ("failed", "ValueError"),
    }
    former = {names[one] for one, row in found.items() if row["has_former"]}
    assert former == {"of a former revision", "of a former version", "failed"}
    failed = found[id_of("failed")]
    assert failed["detail"] == ("ValueError; 3 attempts; stale: has one of revision 1 by version 2")
    assert {row["pass"] for row in found.values()} == {"turns@2"}


async def test_of_a_conversation_what_is_not_due_is_named_too(filled: Settings) -> None:
    found = await said(filled, "missing", "-c", "c")
    others = Counter((one["pass"], one["why"]) for one in found if one["pass"] != "turns@2")
    # The prompt is only for another tenant, and nothing has put the old one in force.
    assert others == {("old@1", "not_active"): 7, ("summary@2", "filtered"): 7}
    assert await said(filled, "missing", "-c", "another") == []
    assert len(await said(filled, "missing", "--all", "-p", "old")) == 7
    assert len(await said(filled, "missing", "-n", "3")) == 3


async def test_the_tables_say_the_same_as_the_catalog_of_whom_a_pass_is_for(
    migrated: Settings,
) -> None:
    chance = Random(7)
    pool = await database.connect(migrated)
    definition = replace(PROMPT, target=Target(("acme",), ("phone", "web"), 3), sampling=0.25)
    await configure(
        pool,
        ("", applied(definition)),
        ("", active((2, None), name="summary")),
        ("acme", wanted("insight", category=True)),
    )
    for number in range(200):
        channel, size = chance.choice(["phone", "web", "mail"]), chance.randrange(1, 6)
        await add_segment(pool, "acme", str(number), channel=channel, message_count=size)
        await add_segment(pool, "beta", str(number), channel=channel, message_count=size)
    catalog = await stored_catalog(pool)
    rows = await pool.fetch("SELECT * FROM segments")
    due = [
        row
        for row in rows
        if catalog.due(
            SegmentFacts(
                row["tenant_id"], row["channel"], row["message_count"], str(row["segment_id"])
            )
        ).passes
    ]
    period = Period(AT - timedelta(days=1), AT + timedelta(days=1))
    [found] = await coverage(pool, ["acme", "beta"], period)
    assert 10 < len(due) < 50
    assert found["segments"] == found["missing"] == len(due)
    for row in due:
        key = {name: row[name] for name in ("tenant_id", "segment_id", "revision")}
        whose = {"pass_name": "summary", "pass_version": 2}
        print_of = {"fingerprint": applied(definition).fingerprint}
        await insert(pool, verdicts, **key, **whose, **print_of)
    [found] = await coverage(pool, ["acme", "beta"], period)
    assert found["current"] == len(due)
    await pool.close()


async def test_stats_count_what_there_is_and_what_was_found_out(filled: Settings) -> None:
    pool = await database.connect(filled)
    await fill_rows(pool)
    await pool.close()
    ended = await run_here(filled, "stats", "-o", "json")
    found = orjson.loads(ended.stdout)
    passes = {one["pass"]: (one["verdicts"], one["current"]) for one in found["passes"]}
    assert passes == {"turns@1": (1, 1), "turns@2": (4, 1)}
    assert (found["segments"], found["verdicts"]) == (7, 5)
    ended = await run_here(filled, "stats", "--tenant", "acme", "-c", "of ada", "-o", "json")
    found = orjson.loads(ended.stdout)
    counted = ("conversations", "messages", "sessions", "segments", "verdicts")
    assert [found[name] for name in counted] == [1, 1, 1, 1, 1]
    ended = await run_here(filled, "stats", "--tenant", "acme", "--since", "2026-06-01")
    assert ended.stdout.startswith("0 conversations · 0 messages · 0 sessions · 0 segments")
    assert "parley missing" in ended.stderr
