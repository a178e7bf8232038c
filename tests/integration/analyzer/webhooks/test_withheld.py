"""Who is told nothing, or nothing more, and how that is told again which was not."""

import asyncio
from typing import Any

import pytest

from parley.settings import Settings
from tests.integration.analyzer.webhooks.stage import KEY, OWN, Stage, numbers, verdicts
from tests.support.processes import ServiceProcess, health
from tests.support.receiver import receiving
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def test_a_removed_webhook_is_told_nothing_more(stage: Stage) -> None:
    mood = {"status": 200}
    async with receiving(lambda _: mood["status"]) as crm:
        await stage.add(crm.url, "crm")
        await stage.find_out(verdicts("c", 2))

        async def told(count: int) -> bool:
            return len(crm.told) == count

        await eventually(lambda: told(2))
        mood["status"] = 503
        await stage.find_out(verdicts("d", 2))

        async def was_asked() -> bool:
            return len(crm.asked) >= 3

        await eventually(was_asked)
        await stage.command_text("remove", "crm")
        await asyncio.sleep(1.5)
        mood["status"] = 200
        asked = len(crm.asked)
        await stage.find_out(verdicts("e", 3))
        await asyncio.sleep(2)
        assert len(crm.asked) == asked
        assert len(crm.told) == 2
        assert await stage.command("list") == []
        # The same name again is another secret, and is not told of what the first one missed.
        again = await stage.command("add", crm.url, "--name", "crm")
        assert again["key_id"] == "k2"
        await stage.find_out(verdicts("f", 1))
        await eventually(lambda: told(3))
        assert crm.told[-1].is_signed_by(again["secret"], "k2")


async def test_what_was_given_up_goes_out_again_on_request_under_the_same_id(stage: Stage) -> None:
    mood = {"status": 400}
    async with receiving(lambda _: mood["status"]) as crm:
        await stage.add(crm.url, "crm")
        await stage.find_out(verdicts("c", 1))

        async def states_are(**wanted: int) -> bool:
            return await stage.states() == wanted

        # What a receiver refuses is given up after five times.
        await eventually(lambda: states_are(failed=1))
        assert len(crm.asked) == 5
        [failed] = await stage.command("deliveries", "crm", "--state", "failed")
        assert (failed["reason"], failed["attempts"]) == ("http_400", 5)
        shown = await stage.command("deliveries", "--id", failed["delivery"])
        assert [one["status"] for one in shown["requests"]] == [400] * 5
        mood["status"] = 200
        await stage.pool.execute("UPDATE operations.webhook_states SET rests_until = NULL")
        assert (await stage.command("redeliver", "crm", "--failed"))["begun"] == 1
        await eventually(lambda: states_are(delivered=1))
        assert crm.ids() == [failed["delivery"]]
        assert (await stage.command("redeliver", "crm", failed["delivery"]))["begun"] == 1

        async def told_twice() -> bool:
            return crm.ids() == [failed["delivery"]] * 2

        await eventually(told_twice)


async def test_while_it_is_disabled_nothing_is_told_and_afterwards_what_is_asked_for(
    stage: Stage,
) -> None:
    async with receiving() as crm:
        await stage.add(crm.url, "crm")
        await stage.command_text("disable", "crm")
        await stage.find_out(verdicts("c", 3))
        await eventually(lambda: stage.has_stored(3))
        await asyncio.sleep(1)
        assert (crm.asked, await stage.states()) == ([], {})
        await stage.command_text("enable", "crm")
        # They are of long ago: had it been told of them, nobody would know it any more.
        long_ago = ("redeliver", "crm", "--since", "2020-01-01")
        said = await stage.command(*long_ago)
        assert (said["begun"], said["left_out"]) == (0, 3)
        said = await stage.command(*long_ago, "--again")
        assert (said["begun"], said["left_out"]) == (3, 0)

        async def all_told() -> bool:
            return len(crm.told) == 3

        await eventually(all_told)
        assert numbers(crm.told) == {"c": [0, 1, 2]} or len(numbers(crm.told)["c"]) == 3
        assert (await stage.command(*long_ago, "--again"))["begun"] == 0
        await stage.pool.execute("UPDATE verdicts SET ended_at = now()")
        await stage.pool.execute("DELETE FROM operations.webhook_deliveries")
        said = await stage.command(*long_ago)
        assert (said["begun"], said["left_out"]) == (3, 0)


async def test_a_receiver_that_is_gone_is_disabled_with_the_reason(stage: Stage) -> None:
    async with receiving(lambda _: 410) as crm:
        await stage.add(crm.url, "crm")
        await stage.find_out(verdicts("c", 2))

        async def is_disabled() -> bool:
            return bool((await stage.command("show", "crm"))["disabled_at"])

        await eventually(is_disabled)
        shown = await stage.command("show", "crm")
        assert shown["state"] == "disabled by failures"
        assert shown["disabled_reason"] == "the receiver says that it is gone"
        asked = len(crm.asked)
        await stage.find_out(verdicts("d", 2))
        await asyncio.sleep(1.5)
        assert len(crm.asked) == asked == 1
        crm.behave = lambda _: 200
        await stage.command_text("enable", "crm")

        async def told() -> bool:
            return len(crm.told) == 2

        # What waited; what was found out meanwhile only on request.
        await eventually(told)


async def test_older_tables_tell_nothing_that_was_told_before(stage: Stage) -> None:
    async with receiving() as crm:
        await stage.add(crm.url, "crm")
        await stage.find_out(verdicts("c", 3))

        async def told(count: int) -> bool:
            return len(crm.told) == count

        await eventually(lambda: told(3))
        # Kafka is told once a second up to where it was read.
        await asyncio.sleep(2.5)
        stage.analyzer.kill()
        # As a backup from before the verdicts has it.
        await stage.pool.execute("DELETE FROM operations.webhook_deliveries")
        await stage.pool.execute(
            "UPDATE fences SET next_offset = 0, last_append_time = NULL, last_checksum = NULL"
            " WHERE consumer = 'analyzer-webhooks'"
        )
        stage.analyzer.start()
        await stage.find_out(verdicts("d", 1))
        await eventually(lambda: told(4))
        await asyncio.sleep(1.5)
        assert numbers(crm.told) == {"c": [0, 1, 2], "d": [0]}
        assert len(crm.told) == 4


async def test_another_key_signs_nothing_and_is_said_to_be_wrong(stage: Stage) -> None:
    async with receiving() as crm:
        await stage.add(crm.url, "crm")
        stage.analyzer.stop()
        other = {**OWN, "PARLEY_WEBHOOK_KEY": "another key that is long enough too"}
        with ServiceProcess("analyzer", stage.settings, **other) as wrong:
            await stage.find_out(verdicts("c", 1))

            async def is_said() -> bool:
                found = health(wrong.url)["dependencies"]["webhooks"]
                return "is another than it was" in found["detail"]

            await eventually(is_said)
            await asyncio.sleep(1)
            assert crm.asked == []
        stage.analyzer.start()

        async def told() -> bool:
            return len(crm.told) == 1

        await eventually(told)


async def test_an_address_that_is_not_public_is_not_asked(settings: Settings, pool: Any) -> None:
    strict = {"PARLEY_WEBHOOK_KEY": KEY}
    with (
        ServiceProcess("persister", settings),
        ServiceProcess("analyzer", settings, **strict) as analyzer,
    ):
        stage = Stage(settings, pool, analyzer)
        async with receiving() as inner:
            await stage.add(inner.url.replace("127.0.0.1", "localhost"), "inner")
            await stage.find_out(verdicts("c", 1))

            async def is_noted() -> bool:
                problem = await pool.fetchval(
                    "SELECT problem FROM operations.webhook_attempts LIMIT 1"
                )
                return bool(problem == "forbidden: the name leads to a loopback address")

            await eventually(is_noted)
            assert inner.asked == []
        assert "number" not in analyzer.output
