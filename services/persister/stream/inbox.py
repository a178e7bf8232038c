"""Publishes what people write with SQL: the log stays the truth, and the tables follow it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from parley import clock
from parley.codec import InvalidRecord, Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.validity import check
from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.events import Policy
from parley.log.producer import Producer, RecordTooLarge, check_size
from parley.policies import Policies
from services.persister.core.inbox import InboxRow, event_of
from services.persister.metrics import INBOX
from services.persister.store import inbox
from services.persister.store.config import policies

log = structlog.get_logger(__name__)

POLL_S: Final = 0.5
RETRY_S: Final = 2.0
# Below the time after which the database ends a transaction that is idle.
SEND_S: Final = 4.0
TRIM_EVERY_S: Final = 600.0


class InboxRelay:
    """Publishes the inbox in order; of all processes that run one, one does so at a time.

    A crash between the broker's ack and the mark publishes rows again: their event ids are those
    of before, and so they are duplicates.
    """

    def __init__(
        self, pool: Pool, producer: Producer, topic: str, policies: Mapping[str, Policy]
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._topic = topic
        # The settings', for tenants and channels that no operator set one for.
        self._policies = policies
        self._trimmed_at = clock.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; a Kafka or a database that is away is waited for."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                wait_s = await self._step()
                await asyncio.wait({stopping}, timeout=wait_s)
        finally:
            stopping.cancel()

    async def _step(self) -> float:
        """Publish some, and say in how many seconds to look again."""
        try:
            if await self.publish_some():
                return 0.0
            await self._trim()
        except Exception as error:
            if not (isinstance(error, KafkaError) or is_transient(error)):
                raise
            log.warning("inbox_waits", error=type(error).__name__)
            return RETRY_S
        return POLL_S

    async def publish_some(self) -> int:
        """Publish and mark the oldest rows; returns how many there were."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await inbox.take_waiting(connection)
            if not rows:
                return 0
            records, refused = self._judge(rows, await policies(connection, self._policies))
            async with asyncio.timeout(SEND_S):
                await self._producer.send_all(list(records.values()))
            await inbox.mark_published(connection, list(records))
            await inbox.mark_refused(connection, refused)
        INBOX.labels("published").inc(len(records))
        INBOX.labels("refused").inc(len(refused))
        for row_id, reason in refused.items():
            log.warning("inbox_refused", id=row_id, reason=reason)
        return len(rows)

    def _judge(
        self, rows: Sequence[InboxRow], known: Policies
    ) -> tuple[dict[int, Outgoing], dict[int, str]]:
        """The records of what may be published, and why the rest may not, by row."""
        records: dict[int, Outgoing] = {}
        refused: dict[int, str] = {}
        for row in rows:
            try:
                records[row.id] = self._record(row, known.policy_for(row.tenant_id, row.channel))
            except InvalidRecord as error:
                refused[row.id] = str(error)
            except RecordTooLarge as error:
                refused[row.id] = f"too_large: {error}"
            except Exception as error:  # noqa: BLE001 - one row must not keep all others waiting
                # Its text may quote what was said.
                refused[row.id] = f"no_event: {type(error).__name__}"
        return records, refused

    def _record(self, row: InboxRow, policy: Policy) -> Outgoing:
        event = event_of(row, policy, clock.now())
        check(event)
        key = event_key(event.tenant_id, event.conversation_id)
        outgoing = Outgoing(self._topic, key, encode_event(event), EVENT_HEADERS)
        check_size(outgoing)
        return outgoing

    async def _trim(self) -> None:
        if clock.monotonic() - self._trimmed_at >= TRIM_EVERY_S:
            self._trimmed_at = clock.monotonic()
            await inbox.trim(self._pool)
