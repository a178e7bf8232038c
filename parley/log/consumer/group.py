"""How a fenced consumer is a member of its group: who gives it partitions, and takes them away."""

from datetime import timedelta
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener, TopicPartition

from parley.log.access import kafka_options
from parley.log.admin import group_of
from parley.log.consumer.claims import Claims
from parley.log.log_consumer import LogConsumer
from parley.settings import Settings

# What is read ahead is put together from pieces: each may be smaller than a batch.
PIECE_BYTES: Final = 1024 * 1024


def member(settings: Settings, name: str, topic: str) -> Any:
    """A consumer whose group gives it partitions."""
    session_ms = int(settings.session_timeout / timedelta(milliseconds=1))
    return LogConsumer(
        **kafka_options(settings),
        fetch_bytes=PIECE_BYTES,
        client_id=f"parley-{name}",
        group_id=group_of(name, topic),
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=max(session_ms // 4, 100),
        # Longer than the longest batch; aiokafka's own default is 10 s.
        rebalance_timeout_ms=120_000,
        max_poll_interval_ms=300_000,
        # While the broker waits for records of some partitions, no others are asked for.
        fetch_max_wait_ms=100,
    )


class Invalidate(ConsumerRebalanceListener):  # type: ignore[misc]
    """Ends all claims at a rebalance; aiokafka only logs what a listener raises."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Others may own them in a moment."""
        await self._claims.release_all()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """What is ours now is claimed anew, whether or not it was before."""
        await self._claims.release_all()
