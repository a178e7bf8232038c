"""A persister, an analyzer and verdicts, for receivers to be told of."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson

from parley import clock
from parley.analyses import JobEnded
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
from tests.support.processes import ServiceProcess
from tests.support.receiver import NETWORKS, Told
from tests.support.wait import eventually
from tests.unit.persister.samples import verdict

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


def numbers(told: Sequence[Told]) -> dict[str, list[int]]:
    """What was told first of each verdict, by conversation, in the order of the requests."""
    seen: dict[str, list[int]] = defaultdict(list)
    known = set()
    for one in told:
        if one.delivery_id not in known:
            known.add(one.delivery_id)
            seen[one.verdict["conversation_id"]].append(one.verdict["output"]["number"])
    return seen


def webhook(url: str, name: str) -> Webhook:
    return Webhook(name, url, 1, check_of(secret_of(KEY, "default", name, 1)))
