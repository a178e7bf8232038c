"""Deliveries in PostgreSQL: made under the fence, leased to senders, ended once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from parley import ids
from parley.db.fence import FenceKey
from parley.db.pool import Connection, Pool
from parley.db.sql import load
from parley.results.reading import as_told
from parley.webhooks.sending import Answer
from parley.webhooks.webhook import Webhook
from services.analyzer.webhooks.core import Consequence, DeliveryState, NewDelivery, Receiver

_SQL: Final = load(__package__)
_FIELDS: Final = (
    *("webhook_id", "url", "secret_version", "secret_check", "former_until"),
    *("is_live_only", "is_enabled", "is_removed"),
)
# Failures in a row without which a receiver is not disabled, however long they have lasted.
LEAST_FAILURES: Final = 20


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that one sender holds; without a verdict there is nothing to send any more."""

    receiver: Receiver
    delivery_id: str
    token: str
    attempt_count: int
    verdict: Mapping[str, Any] | None


async def note_starts(
    pool: Pool, consumer: str, topic: str, ends: Mapping[int, int], hints: Mapping[int, int]
) -> None:
    """Say before which offsets nobody is told of anything, before any verdict can be made."""
    numbers = sorted(ends)
    await pool.execute(
        _SQL["note_starts"],
        topic,
        consumer,
        numbers,
        [ends[one] for one in numbers],
        [hints.get(one, 0) for one in numbers],
    )


async def start_of(connection: Connection, key: FenceKey) -> int:
    """The first offset of a partition that anybody is told of."""
    found: int | None = await connection.fetchval(_SQL["start"], key.topic, key.partition)
    return found or 0


async def receivers(
    connection: Connection | Pool, tenant_ids: Sequence[str] | None
) -> list[Receiver]:
    """The webhooks that are told of anything, of some tenants or of all."""
    rows = await connection.fetch(_SQL["receivers"], tenant_ids)
    return [_receiver(row) for row in rows]


def _receiver(row: Any) -> Receiver:
    fields: dict[str, Any] = {name: row[name] for name in _FIELDS}
    chosen = tuple(row["passes"]), tuple(row["categories"])
    webhook = Webhook(**fields, passes=chosen[0], categories=chosen[1])
    counts = (row["failure_count"], row["in_flight"], row["is_resting"], row["has_due"])
    return Receiver(row["tenant_id"], webhook, *counts)


async def insert(
    connection: Connection, deliveries: Sequence[NewDelivery], incarnation: str, partition: int
) -> None:
    """Write new deliveries within the caller's transaction; known ones stay as they are."""
    if deliveries:
        columns = [list(column) for column in zip(*deliveries, strict=True)]
        await connection.execute(_SQL["insert_deliveries"], *columns, incarnation, partition)


class DeliveryStore:
    """Claims and ends deliveries."""

    def __init__(self, pool: Pool, analyses_topic: str, lease: timedelta) -> None:
        self._pool = pool
        self._topic = analyses_topic
        self._lease = lease

    async def receivers(self) -> list[Receiver]:
        """All webhooks that are told of anything."""
        return await receivers(self._pool, None)

    async def claim(self, rooms: Mapping[Receiver, int]) -> list[Claimed]:
        """Take some deliveries, at most so many of each receiver, with what they say."""
        token = ids.random_id()
        rows = await self._pool.fetch(
            _SQL["claim"],
            [one.tenant_id for one in rooms],
            [one.webhook.webhook_id for one in rooms],
            list(rooms.values()),
            self._topic,
            token,
            self._lease,
        )
        known = {one.key: one for one in rooms}
        verdicts = await self._verdicts(rows)
        return [
            Claimed(
                known[row["tenant_id"], row["webhook_id"]],
                str(row["delivery_id"]),
                token,
                row["attempt_count"],
                verdicts.get(_verdict_key(row)),
            )
            for row in rows
        ]

    async def _verdicts(self, deliveries: Sequence[Any]) -> dict[tuple[Any, ...], dict[str, Any]]:
        if not deliveries:
            return {}
        columns = [list(column) for column in zip(*map(_verdict_key, deliveries), strict=True)]
        rows = await self._pool.fetch(_SQL["verdicts"], *columns)
        return {_verdict_key(row): as_told(row) for row in rows}

    async def settle(
        self, claimed: Claimed, answer: Answer | None, then: Consequence, give_up: timedelta
    ) -> bool:
        """Write what became of a delivery; whether its receiver was disabled by that.

        Without an answer nothing was sent. Nothing is written where the lease was lost: another
        sender has the delivery, and notes what becomes of it.
        """
        tenant_id, webhook_id = claimed.receiver.key
        async with self._pool.acquire() as connection, connection.transaction():
            is_mine = await connection.fetchval(
                _SQL["settle"],
                tenant_id,
                claimed.delivery_id,
                claimed.token,
                then.state.value,
                then.reason,
                then.due_in,
            )
            if is_mine is None or answer is None:
                return False
            await connection.execute(
                _SQL["insert_attempt"],
                tenant_id,
                claimed.delivery_id,
                webhook_id,
                answer.status,
                answer.problem,
                timedelta(seconds=answer.latency_seconds),
            )
            if then.state is DeliveryState.DELIVERED:
                await connection.execute(_SQL["note_success"], tenant_id, webhook_id)
                return False
            is_disabled: bool | None = await connection.fetchval(
                _SQL["note_failure"],
                tenant_id,
                webhook_id,
                then.rests_for,
                then.is_receiver_gone,
                give_up,
                LEAST_FAILURES,
                answer.problem,
            )
            return bool(is_disabled)

    async def tidy(self, kept: timedelta) -> None:
        """End what nobody wants any more, and forget what ended long ago."""
        await self._pool.execute(_SQL["cancel"])
        await self._pool.execute(_SQL["forget_deliveries"], kept)
        await self._pool.execute(_SQL["forget_attempts"], kept)

    async def waiting(self) -> Any:
        """How many deliveries wait, the oldest one's age, and how many webhooks are disabled."""
        return await self._pool.fetchrow(_SQL["waiting"])


def _verdict_key(row: Any) -> tuple[Any, ...]:
    names = ("tenant_id", "segment_id", "revision", "pass_name", "pass_version")
    return tuple(str(row[name]) if name == "segment_id" else row[name] for name in names)
