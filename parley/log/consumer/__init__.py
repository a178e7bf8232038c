"""Reads a topic under the fence: PostgreSQL owns the offset, Kafka's is a hint for monitors."""

from parley.log.consumer.fenced import FencedConsumer
from parley.log.consumer.handler import (
    Batch,
    BatchHandler,
    Batching,
    Part,
    PartitionStopped,
)

__all__ = [
    "Batch",
    "BatchHandler",
    "Batching",
    "FencedConsumer",
    "Part",
    "PartitionStopped",
]
