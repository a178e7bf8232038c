"""Verdicts and segments over HTTP: what counts and what counted, page by page, and for whom."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from parley.db.schema.analysis import segment_revisions, segments, verdicts
from parley.ids import derived_id
from tests.integration.gateway.rest import CONVERSATIONS, Program, program_of
from tests.integration.gateway.rows import AT, insert
from tests.integration.gateway.test_rest_callers import caller, guarded, persister
from tests.support.coverage import EXPECTED, counts
from tests.support.coverage import fill as fill_coverage
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration

__all__ = ["guarded", "persister"]

VERDICTS = f"{CONVERSATIONS}/c/verdicts"
SEGMENT, MERGED = derived_id("segment", "one"), derived_id("segment", "merged")


def path_of(segment_id: str) -> str:
    return f"/api/v2/segments/{segment_id}"


@pytest.fixture
async def program(gateway: ServiceProcess) -> AsyncIterator[Program]:
    async with program_of(gateway) as made:
        yield made


async def fill(pool: Any, tenant_id: str = "default") -> None:
    """A segment with a former revision, which swallowed another, and five verdicts of them."""
    span = {"started_at": AT, "ended_at": AT + timedelta(minutes=5), "message_count": 3}
    one = {"tenant_id": tenant_id, "segment_id": SEGMENT}
    merged = {**one, "segment_id": MERGED}
    await insert(pool, segments, **one, revision=2, channel="phone", cause="late", **span)
    await insert(pool, segments, **merged, revision=1, is_retracted=True, merged_into=SEGMENT)
    for revision, retracted in ((1, []), (2, [{"segment_id": MERGED, "revision": 1}])):
        await insert(
            pool,
            segment_revisions,
            **one,
            **span,
            revision=revision,
            previous_revision=revision - 1,
            idle_gap=timedelta(minutes=90),
            retracted=orjson.dumps(retracted).decode(),
            participants=["ann"],
        )
    made = [(one, 1, "mood", 1), (merged, 1, "mood", 1)]
    made += [(one, 2, "mood", 1), (one, 2, "mood", 2), (one, 2, "topics", 1)]
    for number, (whose, revision, name, version) in enumerate(made):
        await insert(
            pool,
            verdicts,
            **whose,
            revision=revision,
            pass_name=name,
            pass_version=version,
            output=f'{{"number": {number}}}',
            model="small",
            cost_micro_usd=7,
            ended_at=AT + timedelta(seconds=number // 2),
        )


def numbers(answer: Any) -> list[int]:
    return [one["output"]["number"] for one in answer]


async def test_a_segment_shows_its_revisions_its_lineage_and_its_verdicts(
    pool: Any, program: Program
) -> None:
    await fill(pool)
    found = await program.reads(path_of(SEGMENT))
    assert (found["revision"], found["is_retracted"], found["channel"]) == (2, False, "phone")
    assert (found["absorbed"], found["merged_into"], found["continues"]) == ([MERGED], None, None)
    shown = [(one["revision"], one["previous_revision"]) for one in found["revisions"]]
    assert shown == [(2, 1), (1, 0)]
    assert [one["absorbed"] for one in found["revisions"]] == [[MERGED], []]
    assert sorted(numbers(found["verdicts"])) == [2, 3, 4]
    marks = {one["output"]["number"]: one["is_newest_version"] for one in found["verdicts"]}
    assert marks == {2: False, 3: True, 4: True}
    assert numbers(found["former_verdicts"]) == [0]
    assert {(one["model"], one["cost_micro_usd"]) for one in found["verdicts"]} == {("small", 7)}
    merged = await program.reads(path_of(MERGED))
    assert (merged["is_retracted"], merged["merged_into"]) == (True, SEGMENT)
    assert (numbers(merged["verdicts"]), numbers(merged["former_verdicts"])) == ([], [1])


async def test_a_conversations_verdicts_are_those_that_count_unless_all_are_wanted(
    pool: Any, program: Program
) -> None:
    await fill(pool)
    found = await program.reads(VERDICTS)
    assert sorted(numbers(found["verdicts"])) == [2, 3, 4]
    assert numbers(found["verdicts"])[0] == 4
    everything = await program.reads(VERDICTS, all=True)
    assert sorted(numbers(everything["verdicts"])) == [0, 1, 2, 3, 4]
    assert sorted(numbers((await program.reads(VERDICTS, **{"pass": "mood"}))["verdicts"])) == [
        2,
        3,
    ]
    assert (await program.reads(VERDICTS, **{"pass": "none"}))["verdicts"] == []
    assert (await program.reads(f"{CONVERSATIONS}/d/verdicts"))["verdicts"] == []


async def test_they_come_page_by_page_each_once(pool: Any, program: Program) -> None:
    await fill(pool)
    seen, cursor = [], None
    while True:
        query = {"all": True, "limit": 2, **({} if cursor is None else {"cursor": cursor})}
        page = await program.reads(VERDICTS, **query)
        seen += numbers(page["verdicts"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert set(seen) == {0, 1, 2, 3, 4}
    await program.is_refused(422, "invalid_request", VERDICTS, params={"cursor": "nobody's"})


async def test_what_is_no_segment_is_unknown(program: Program) -> None:
    await program.is_refused(404, "not_found", path_of(SEGMENT))
    await program.is_refused(422, "invalid_request", path_of("chat-7"))


@pytest.mark.usefixtures("persister")
async def test_users_see_their_own_and_readers_and_servers_their_tenants(
    pool: Any, guarded: ServiceProcess
) -> None:
    async with (
        caller(guarded, "user") as owner,
        caller(guarded, "user", sub="user-2") as stranger,
        caller(guarded, "reader", sub="auditor") as reader,
        caller(guarded, "operator", sub="op") as operator,
        caller(guarded, "agent", sub="shop") as agent,
        caller(guarded, "importer", sub="mover") as importer,
        caller(guarded, "agent", tenant="other") as foreign,
    ):
        said = await owner.writes(f"{CONVERSATIONS}/c/messages", {"text": "hello"})
        await owner.reads(f"{CONVERSATIONS}/c", said)
        await fill(pool, "acme")
        for one in (owner, reader, operator, agent):
            assert len((await one.reads(VERDICTS))["verdicts"]) == 3
            assert (await one.reads(path_of(SEGMENT)))["conversation_id"] == "c"
        await stranger.is_refused(404, "not_found", VERDICTS)
        await stranger.is_refused(404, "not_found", path_of(SEGMENT))
        unknown = derived_id("segment", "none")
        one, two = [
            (await stranger.is_refused(404, "not_found", path_of(each)))["detail"]
            for each in (SEGMENT, unknown)
        ]
        assert one == two
        for path in (VERDICTS, path_of(SEGMENT), path_of(unknown)):
            await importer.is_refused(403, "forbidden", path)
        assert (await foreign.reads(VERDICTS))["verdicts"] == []
        await foreign.is_refused(404, "not_found", path_of(SEGMENT))


COVERAGE = "/api/v2/coverage"


async def test_coverage_counts_each_segment_once_by_pass_and_day(
    pool: Any, program: Program
) -> None:
    await fill_coverage(pool)
    since = {"since": "2026-01-01T00:00:00Z"}
    found = await program.reads(COVERAGE, **since, until="2026-12-01T00:00:00Z")
    assert counts(found["coverage"]) == EXPECTED
    [day] = found["coverage"]
    assert (day["pass_name"], day["pass_version"], day["day"]) == ("turns", 2, "2026-01-31")
    assert (await program.reads(COVERAGE, until="2026-01-31T12:05:00Z"))["coverage"] == []
    named = await program.reads(COVERAGE, until="2026-02-01T00:00:00Z", **{"pass": "none"})
    assert named["coverage"] == []
    await program.is_refused(
        422, "invalid_request", COVERAGE, params={**since, "until": "2027-02-01T00:00:00Z"}
    )
    # No number is taken for seconds since 1970.
    for number in ("0.5", "1e9", "-1"):
        await program.is_refused(422, "invalid_request", COVERAGE, params={"until": number})


async def test_coverage_is_for_those_who_may_look_through_everybodys_conversations(
    pool: Any, guarded: ServiceProcess
) -> None:
    await fill_coverage(pool, "acme")
    until = {"until": "2026-02-01T00:00:00Z"}
    for role in ("reader", "operator", "agent"):
        async with caller(guarded, role) as one:
            assert counts((await one.reads(COVERAGE, **until))["coverage"]) == EXPECTED
        async with caller(guarded, role, tenant="other") as foreign:
            assert (await foreign.reads(COVERAGE, **until))["coverage"] == []
    for role in ("user", "importer"):
        async with caller(guarded, role) as one:
            await one.is_refused(403, "forbidden", COVERAGE)
