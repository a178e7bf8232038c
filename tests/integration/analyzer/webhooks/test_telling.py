"""Webhooks are told of each verdict, whatever happens to the receiver and to the analyzer."""

import asyncio
from collections import Counter, defaultdict
from typing import Any

import pytest

from parley.analyses import JobTrigger
from parley.settings import Settings
from tests.integration.analyzer.webhooks.stage import OWN, Stage, numbers, verdicts, webhook
from tests.support.processes import ServiceProcess, health
from tests.support.receiver import receiving
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def test_a_receiver_is_told_of_each_verdict_once_in_order_and_signed(stage: Stage) -> None:
    async with receiving() as crm, receiving() as other:
        secret = await stage.add(crm.url, "crm")
        await stage.add(other.url, "topics", "--pass", "topics", "--live-only")
        made = [
            *verdicts("c", 5),
            *verdicts("d", 5),
            *verdicts("c", 2, pass_name="topics"),
            *verdicts("e", 2, pass_name="topics", trigger=JobTrigger.BACKFILL),
        ]
        await stage.find_out([*made, *made])

        async def all_told() -> bool:
            return len(crm.told) == 14 and len(other.told) == 2

        await eventually(all_told)
        await asyncio.sleep(1)
        assert len(set(crm.ids())) == len(crm.told) == 14
        assert len(other.told) == 2
        assert numbers(crm.told)["d"] == [0, 1, 2, 3, 4]
        assert numbers(crm.told)["c"] == [0, 1, 2, 3, 4, 0, 1]
        for one in crm.told:
            assert one.is_signed_by(secret, "k1")
            assert not one.is_signed_by("another", "k1")
        content = crm.told[0].content
        assert (content["type"], content["tenant_id"], content["webhook_id"]) == (
            "verdict.created",
            "default",
            "crm",
        )
        assert content["delivery_id"] == crm.told[0].delivery_id
        assert {one.verdict["pass_name"] for one in other.told} == {"topics"}
        assert await stage.states() == {"delivered": 16}
        listed = {one["webhook"]: one for one in await stage.command("list")}
        assert (listed["crm"]["state"], listed["crm"]["delivered"]) == ("ok", 14)
        assert secret not in str(listed)


async def test_a_receiver_that_fails_and_hangs_is_told_of_all_when_it_works_although_we_die(
    stage: Stage,
) -> None:
    mood: dict[str, int | None] = {"status": 500}
    async with receiving(lambda _: mood["status"]) as crm:
        secret = await stage.add(crm.url, "crm")
        made = [one for name in ("a", "b", "c", "d") for one in verdicts(name, 5)]
        await stage.find_out(made)

        async def asked(count: int) -> bool:
            return len(crm.asked) >= count

        await eventually(lambda: asked(4))
        mood["status"] = None
        before = len(crm.asked)
        await eventually(lambda: asked(before + 1))
        # A request is under way, and nobody will ever write what became of it.
        stage.analyzer.kill()
        stage.analyzer.start()
        mood["status"] = 200

        async def some_told() -> bool:
            return len(crm.told) >= 3

        await eventually(some_told, timeout=60)
        stage.analyzer.kill()
        await stage.find_out(verdicts("e", 5))
        stage.analyzer.start()

        async def all_told() -> bool:
            return len(set(crm.ids())) == 25 and await stage.states() == {"delivered": 25}

        await eventually(all_told, timeout=60)
        assert numbers(crm.told) == {name: [0, 1, 2, 3, 4] for name in "abcde"}
        # What went out again is the same, byte for byte, under the same id, signed anew.
        bodies = defaultdict(set)
        for one in crm.asked:
            bodies[one.delivery_id].add(one.body)
            assert one.is_signed_by(secret, "k1")
        assert {len(some) for some in bodies.values()} == {1}
        assert max(Counter(one.delivery_id for one in crm.asked).values()) > 1
        rows = await stage.pool.fetch(
            "SELECT problem, count(*) AS n FROM operations.webhook_attempts GROUP BY 1"
        )
        problems = {row["problem"]: row["n"] for row in rows}
        assert problems[""] == 25
        assert problems["http_500"] >= 4


async def test_a_receiver_that_hangs_delays_no_other(stage: Stage) -> None:
    async with receiving(lambda _: None) as dead, receiving() as alive:
        await stage.add(dead.url, "dead")
        await stage.add(alive.url, "alive")
        made = [one for number in range(30) for one in verdicts(f"c{number}", 1)]
        await stage.find_out(made)

        async def all_told() -> bool:
            return len(alive.told) == 30

        await eventually(all_told, timeout=5)
        assert 1 <= len(dead.asked) <= 30
        assert dead.told == []

        async def is_failing() -> bool:
            found = {one["webhook"]: one for one in await stage.command("list")}
            return bool(found["dead"]["failures_in_a_row"] >= 5)

        await eventually(is_failing)
        states = health(stage.analyzer.url)["dependencies"]
        assert states["webhooks"]["status"] == "healthy"


async def test_many_receivers_that_hang_for_their_whole_timeout_delay_no_other(
    settings: Settings, pool: Any
) -> None:
    # As many as would hold all requests of a process between them.
    names = [f"a{number:02}" for number in range(60)]
    patient = {**OWN, "PARLEY_ANALYZER_WEBHOOK_TIMEOUT": "20"}
    with (
        ServiceProcess("persister", settings),
        ServiceProcess("analyzer", settings, **patient) as analyzer,
    ):
        stage = Stage(settings, pool, analyzer)
        async with receiving(lambda _: None) as dead, receiving() as quick:
            await stage.set([webhook(dead.url, name) for name in names])
            await stage.set([webhook(quick.url, "z")])
            await stage.find_out([one for name in "abcd" for one in verdicts(name, 1)])

            async def all_hang() -> bool:
                return len(dead.asked) >= 3 * len(names)

            await eventually(all_hang, timeout=15)
            await stage.find_out([one for name in "efgh" for one in verdicts(name, 1)])

            async def is_told() -> bool:
                return len(quick.told) == 8

            await eventually(is_told, timeout=5)
            assert dead.told == []
