"""Webhooks are told of each verdict, whatever happens to the receiver and to the analyzer."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Any

import orjson
import pytest

from parley import clock
from parley.analyses import JobEnded, JobTrigger
from parley.codec import Outgoing, encode_job_ended, event_key
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.codec.config import config_record
from parley.config import ConfigChange
from parley.ids import derived_id
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from parley.webhooks.signing import check_of, secret_of
from parley.webhooks.webhook import Webhook
from tests.support.command import run_here
from tests.support.passes import OPERATOR
from tests.support.processes import ServiceProcess, health
from tests.support.receiver import NETWORKS, Told, receiving
from tests.support.wait import eventually
from tests.unit.persister.samples import verdict

pytestmark = pytest.mark.integration

KEY = "a key for tests that is long enough"
OWN = {
    "PARLEY_WEBHOOK_KEY": KEY,
    "PARLEY_ANALYZER_WEBHOOK_NETWORKS": NETWORKS,
    "PARLEY_ANALYZER_WEBHOOK_REST": "0.05",
    "PARLEY_ANALYZER_WEBHOOK_TIMEOUT": "1",
}


class Stage:
    """The persister and an analyzer, and verdicts in the log as an analyzer publishes them."""

    def __init__(self, settings: Settings, pool: Any, analyzer: ServiceProcess) -> None:
        self.settings = settings
        self.pool = pool
        self.analyzer = analyzer

    async def command(self, *arguments: str, status: int = 0) -> Any:
        """What `parley webhooks` says."""
        ended = await run_here(self.settings, "webhooks", *arguments, "-o", "json", **OWN)
        assert ended.exit_code == status, ended.output
        return orjson.loads(ended.stdout) if ended.stdout.strip() else None

    async def command_text(self, *arguments: str) -> None:
        """The same of a command that only says what it did."""
        ended = await run_here(self.settings, "webhooks", *arguments, **OWN)
        assert ended.exit_code == 0, ended.output

    async def has_stored(self, count: int) -> bool:
        return bool(await self.pool.fetchval("SELECT count(*) FROM verdicts") == count)

    async def add(self, url: str, name: str, *options: str) -> str:
        secret: str = (await self.command("add", url, "--name", name, *options))["secret"]
        return secret

    async def set(self, webhooks: Sequence[Webhook]) -> None:
        """Set webhooks, and wait until they are told of what comes."""
        topic = self.settings.topic(Topic.CONFIG)
        changes = [ConfigChange("default", OPERATOR, clock.now(), one) for one in webhooks]
        await self._publish([config_record(topic, one) for one in changes])

        async def are_known() -> bool:
            known = await self.pool.fetch("SELECT webhook_id FROM webhooks")
            return {one["webhook_id"] for one in known} >= {one.webhook_id for one in webhooks}

        await eventually(are_known)

    async def find_out(self, ended: Sequence[JobEnded]) -> None:
        """Publish them, in this order."""
        topic = self.settings.topic(Topic.ANALYSES)
        keys = [event_key(one.tenant_id, one.conversation_id) for one in ended]
        await self._publish(
            [
                Outgoing(topic, key, encode_job_ended(one), ANALYSIS_HEADERS)
                for key, one in zip(keys, ended, strict=True)
            ]
        )

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        producer = Producer(self.settings)
        await producer.start()
        try:
            for one in records:
                await producer.send(one)
        finally:
            await producer.stop()

    async def states(self) -> dict[str, int]:
        rows = await self.pool.fetch(
            "SELECT state, count(*) AS n FROM operations.webhook_deliveries GROUP BY 1"
        )
        return {row["state"]: row["n"] for row in rows}


def verdicts(conversation: str, count: int, **fields: Any) -> list[JobEnded]:
    """As many segments of a conversation, with a verdict each."""
    return [
        verdict(
            tenant_id="default",
            conversation_id=conversation,
            segment_id=derived_id("segment", conversation, str(number)),
            output_json=orjson.dumps({"number": number}).decode(),
            **fields,
        )
        for number in range(count)
    ]


@pytest.fixture
async def stage(settings: Settings, pool: Any) -> AsyncIterator[Stage]:
    with ExitStack() as running:
        running.enter_context(ServiceProcess("persister", settings))
        analyzer = running.enter_context(ServiceProcess("analyzer", settings, **OWN))
        yield Stage(settings, pool, analyzer)


def numbers(told: Sequence[Told]) -> dict[str, list[int]]:
    """What was told first of each verdict, by conversation, in the order of the requests."""
    seen: dict[str, list[int]] = defaultdict(list)
    known = set()
    for one in told:
        if one.delivery_id not in known:
            known.add(one.delivery_id)
            seen[one.verdict["conversation_id"]].append(one.verdict["output"]["number"])
    return seen


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


def webhook(url: str, name: str) -> Webhook:
    return Webhook(name, url, 1, check_of(secret_of(KEY, "default", name, 1)))


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
