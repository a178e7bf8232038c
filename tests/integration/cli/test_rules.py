"""`parley rules` on a real log: what a version that somebody does not know does to a worker."""

from typing import Any

import pytest

from parley import rules
from parley.codec import decode_event
from parley.events import RuleActivated
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import run_here
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def parley(settings: Settings, *arguments: str) -> tuple[int, str]:
    """The command within this process, which may know more rules than a worker."""
    ended = await run_here(settings, "rules", *arguments)
    return ended.exit_code, ended.output + str(ended.exception or "")


async def activations(settings: Settings) -> list[tuple[int, int]]:
    found = await read_records(settings, Topic.EVENTS)
    bodies = [(one.partition, decode_event(one).body) for one in found]
    return [(place, one.rule_version) for place, one in bodies if isinstance(one, RuleActivated)]


async def stopped(pool: Any) -> int:
    query = "SELECT count(*) FROM fences WHERE consumer = 'sealer' AND stopped_reason LIKE $1"
    return int(await pool.fetchval(query, "%version 2 of the sealing rule%later release%"))


async def test_a_version_that_a_worker_does_not_know_stops_it_and_is_told_before(
    settings: Settings, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(settings, [message(f"c{number}", 1) for number in range(40)])
    with ServiceProcess("sealer", settings, probe="/livez"):
        query = "SELECT count(*) FROM sealer_partitions"
        everywhere = settings.partitions
        await eventually(lambda: _is(pool, query, everywhere))
        status, told = await parley(settings, "activate", "2")
        assert (status, "This release does not know version 2" in told) == (1, True)
        status, told = await parley(settings, "activate", "1")
        assert (status, "nothing was written" in told) == (0, True)
        assert await activations(settings) == []

        # As if this command were a later release's.
        monkeypatch.setattr("parley.cli.rules.RULES", {**rules.RULES, 2: "made up"})
        status, told = await parley(settings, "activate", "2", "--dry-run")
        assert (status, told.count("does not know it, and stops")) == (0, everywhere)
        assert await activations(settings) == []
        status, _ = await parley(settings, "activate", "2")
        assert status == 0
        assert await activations(settings) == [(one, 2) for one in range(everywhere)]
        await eventually(lambda: _is(pool, query + " WHERE rule_version = 1", everywhere))

        async def all_stopped() -> bool:
            return await stopped(pool) == everywhere

        await eventually(all_stopped)
    status, told = await parley(settings, "list", "-o", "json")
    assert (status, told.count("a later release of Parley knows it")) == (0, everywhere)


async def _is(pool: Any, query: str, expected: int) -> bool:
    return bool(await pool.fetchval(query) == expected)
