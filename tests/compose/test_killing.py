"""Containers are killed while people talk: nothing acknowledged is lost, nothing is there twice."""

import json
from asyncio import to_thread

import pytest

from tests.compose.project import SCALE, Project
from tests.compose.talk import PATIENCE_S, talking
from tests.support.wait import eventually

pytestmark = pytest.mark.compose


@pytest.mark.parametrize("service", [*SCALE, "activity"])
async def test_a_service_that_dies_is_restarted_by_the_engine(
    service: str, scaled: Project
) -> None:
    async with talking(scaled) as talk:
        victim = scaled.containers(service)[0]
        await to_thread(scaled.kill_inside, victim)

        async def is_back() -> bool:
            facts = await to_thread(scaled.inspect, victim)
            healthy = facts["State"].get("Health", {}).get("Status") == "healthy"
            return bool(facts["RestartCount"] == 1 and healthy)

        await eventually(is_back, PATIENCE_S, every=0.5)
        await talk.goes_on()


@pytest.mark.parametrize("service", [*SCALE, "activity"])
async def test_a_container_that_is_killed_is_missed_by_nobody(
    service: str, scaled: Project
) -> None:
    async with talking(scaled) as talk:
        await to_thread(scaled.docker, "kill", scaled.containers(service)[0])
        # Where there was one, the others go on; where it was the only one, the talk does.
        await talk.goes_on()
        await to_thread(scaled.up, **SCALE)


@pytest.mark.parametrize("service", ["kafka", "postgres", "proxy"])
async def test_after_the_death_of_what_there_is_once_all_goes_on(
    service: str, scaled: Project
) -> None:
    async with talking(scaled) as talk:
        victim = scaled.containers(service)[0]
        await to_thread(scaled.docker, "kill", victim)
        # Killed by hand it stays down, as the engine thinks that it is meant.
        await to_thread(scaled.docker, "start", victim)
        await talk.goes_on(100)
        # Messages are taken without PostgreSQL, but nobody can count them yet.
        await to_thread(scaled.up, **SCALE)


async def test_every_record_is_accounted_for_and_the_tables_are_what_the_log_says(
    scaled: Project,
) -> None:
    async with talking(scaled):
        pass
    ledger = scaled.command("ledger", "-o", "json")
    assert ledger.status == 0, ledger
    total = json.loads(ledger.output)["total"]
    assert total["stored"] > 0 and not total["residue"] and not total["dead_lettered"], total
    verified = scaled.command("verify")
    assert verified.status == 0, verified
