"""`parley sealing` and `parley seal` beside a real sealer and a real persister."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from parley.cli.sealing.forcing import Asked, seal_now
from parley.cli.sealing.listing import OpenCounts, first_to_close, open_windows
from parley.db import pool as database
from parley.errors import UserError
from parley.seals import SealCause, SegmentSealed
from parley.settings import Settings
from tests.support.command import Command, json_here, run_here, said
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, message, publish, short_policy
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

QUICK = {"PARLEY_SEALER_SAVE_INTERVAL": "0.1"}


@pytest.fixture
async def tables(migrated: Settings) -> AsyncIterator[Any]:
    made = await database.connect(migrated, max_size=2)
    yield made
    await made.close()


@asynccontextmanager
async def services(settings: Settings, *names: str) -> AsyncIterator[None]:
    made = [ServiceProcess(name, settings, **QUICK) for name in names]
    try:
        await asyncio.gather(*(asyncio.to_thread(one.__enter__) for one in made))
        yield
    finally:
        for one in made:
            await asyncio.to_thread(one.__exit__, None, None, None)


async def wait_for_windows(tables: Any, count: int) -> None:
    async def are_open() -> bool:
        return bool(await tables.fetchval("SELECT count(*) FROM sealer_windows") == count)

    await eventually(are_open)


async def force(
    settings: Settings, conversation_id: str, *, seconds: float = 30, waits: bool = True
) -> list[SegmentSealed]:
    asked = Asked(TENANT, conversation_id, "a test", timedelta(seconds=seconds), waits)
    return await seal_now(settings, asked)


async def test_open_segments_come_by_deadline_and_a_command_seals_one(
    migrated: Settings, tables: Any, parley: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    gaps = {"late": 3_000, "soon": 1_000, "middle": 2_000}
    said_now = [message(name, 1, policy=short_policy(gap)) for name, gap in gaps.items()]
    imported = message("old", 1, policy=short_policy(500), import_id="files")
    async with services(migrated, "sealer", "persister"):
        await publish(migrated, [*said_now, imported])
        await wait_for_windows(tables, 4)
        listed, counts = await first_to_close(migrated, None, 50, is_due=False)
        # What an import holds has no deadline.
        assert [one["conversation_id"] for one in listed] == ["soon", "middle", "late", "old"]
        assert [one["held_by"] for one in listed] == [[], [], [], ["files"]]
        assert 900 < listed[0]["seconds_left"] < 1_001
        assert (sum(counts.by_partition.values()), counts.due, counts.held) == (4, 0, 1)
        assert await first_to_close(migrated, None, 50, is_due=True) == ([], counts)
        of_acme = await first_to_close(migrated, "acme", 50, is_due=False)
        assert of_acme == ([], OpenCounts({}, due=0, held=0))

        [sealed] = await force(migrated, "middle")
        # It returns when the tables hold the segment, not before.
        rows = await tables.fetch("SELECT segment_id::text, revision, cause FROM segment_revisions")
        assert [tuple(row) for row in rows] == [(sealed.segment_id, 1, "forced")]
        assert (sealed.cause, sealed.message_count) == (SealCause.FORCED, 1)
        assert await force(migrated, "middle") == []
        assert f"Its last segment is {sealed.segment_id}" in capsys.readouterr().err
        with pytest.raises(UserError, match="An import holds what is open in old: files"):
            await force(migrated, "old")
        with pytest.raises(UserError, match="The sealer knows no conversation nobody"):
            await force(migrated, "nobody")
        ended = await asyncio.to_thread(parley, "sealing")
    assert "middle" not in ended.stdout.decode()
    assert "3 segments open, 0 due, 1 held by imports." in said(ended)


async def test_a_command_to_seal_says_what_it_waits_for_in_vain(
    migrated: Settings, tables: Any
) -> None:
    async with services(migrated, "sealer"):
        await publish(migrated, [message("chat", 1)])
        await wait_for_windows(tables, 1)
        # Sealed and published: nobody stores it.
        with pytest.raises(UserError, match="in vain for the persister to store the segment"):
            await force(migrated, "chat", seconds=1)
        assert await open_windows(tables, TENANT, "chat") == []
    await publish(migrated, [message("other", 1)])
    with pytest.raises(UserError, match="in vain for the sealer to read up to") as raised:
        await force(migrated, "other", seconds=0.5)
    assert "parley status" in raised.value.remedy
    await tables.execute("UPDATE fences SET stopped_reason = 'the log lost its end'")
    with pytest.raises(UserError, match=r"has stopped partition \d+: the log lost its end"):
        await force(migrated, "other", seconds=5)


async def test_a_command_that_nobody_waits_for_is_carried_out_later(
    migrated: Settings, tables: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with services(migrated, "sealer"):
        await publish(migrated, [message("chat", 1)])
        await wait_for_windows(tables, 1)
    assert await force(migrated, "chat", waits=False) == []
    assert "The command lies in the log at" in capsys.readouterr().err
    async with services(migrated, "sealer"):
        await wait_for_windows(tables, 0)


# Conversations by tenant, the minutes until each is due, and none for what an import holds.
OPEN = (
    *(("acme", "a", -2), ("acme", "b", -1), ("acme", "b", 3)),
    *(("default", "c", 90), ("default", "c", 60), ("default", "c", None), ("default", "d", None)),
)


@pytest.fixture
async def opened(migrated: Settings, tables: Any) -> Settings:
    """Open segments of two tenants, some of them due."""
    await tables.executemany(
        "INSERT INTO sealer_windows (tenant_id, conversation_id, segment_id, partition,"
        " opening_event_id, revision, current_revision, first_time, first_event_id, last_time,"
        " last_event_id, reach, deadline, message_count, rest)"
        " SELECT $1, $2, id, 0, id, 1, 0, now(), id, now(), id, now(),"
        '        now() + make_interval(mins => $3::int), 1, \'{"held_by": [], "end": null}\''
        "   FROM (SELECT gen_random_uuid() AS id) AS one",
        OPEN,
    )
    return migrated


async def told(settings: Settings, *arguments: str) -> str:
    """What `parley sealing` tells the person."""
    ended = await run_here(settings, "sealing", *arguments)
    assert ended.exit_code == 0, ended.output
    return ended.stderr


async def test_the_totals_are_of_the_tenant_that_was_asked_for(opened: Settings) -> None:
    assert "7 segments open, 2 due, 2 held by imports." in await told(opened)
    of_acme = await told(opened, "--tenant", "acme")
    assert "3 segments of tenant acme open, 2 due, 0 held by imports." in of_acme
    assert "By partition: 0: 3." in of_acme
    of_default = await told(opened, "--tenant", "default")
    assert "4 segments of tenant default open, 0 due, 2 held by imports." in of_default
    of_other = await told(opened, "--tenant", "other")
    assert of_other.strip() == "No segment of tenant other is open."


@pytest.mark.parametrize(
    ("selection", "matching"), [(("--tenant", "acme"), 3), (("--due",), 2), ((), 7)]
)
async def test_that_the_first_alone_are_shown_is_said_only_where_it_is_so(
    opened: Settings, selection: tuple[str, ...], matching: int
) -> None:
    assert "shown" not in await told(opened, *selection, "--limit", str(matching))
    fewer = str(matching - 1)
    assert f"The first {fewer} are shown." in await told(opened, *selection, "--limit", fewer)
    assert len(await json_here(opened, "sealing", *selection, "--limit", fewer)) == matching - 1


async def test_a_conversation_of_which_nothing_is_due_says_so(opened: Settings) -> None:
    said_of_c = await told(opened, "c", "--due")
    assert "Nothing of c is due: 3 segments open, the next due at 2" in said_of_c
    assert " UTC, in 59m " in said_of_c or " UTC, in 1h 00m." in said_of_c
    said_of_d = await told(opened, "d", "--due")
    assert "Nothing of d is due: 1 segment open, held by imports." in said_of_d
    assert await json_here(opened, "sealing", "c", "--due") == []
    assert await told(opened, "b", "--due", "--tenant", "acme") == ""
    assert len(await json_here(opened, "sealing", "b", "--due", "--tenant", "acme")) == 1
