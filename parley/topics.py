"""The topics: their names, what each is for, and how a key finds its partition."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from aiokafka.partitioner import murmur2

DAY_MS: Final = 24 * 3600 * 1000
FOREVER: Final = -1


class Topic(StrEnum):
    """Every topic of Parley; names carry a version."""

    EVENTS = "parley.events.v1"
    LIVE = "parley.live.v1"
    SEALS = "parley.seals.v1"
    ANALYSES = "parley.analyses.v1"
    CONFIG = "parley.config.v1"
    DEAD_LETTERS = "parley.dead-letters.v1"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is created; `retention_ms` -1 keeps for ever."""

    topic: Topic
    purpose: str
    retention_ms: int = FOREVER
    is_compacted: bool = False
    has_one_partition: bool = False


SPECS: Final = (
    TopicSpec(Topic.EVENTS, "everything that happened, in one order per conversation"),
    TopicSpec(Topic.LIVE, "what is worth seeing now and not worth keeping", 600_000),
    TopicSpec(Topic.SEALS, "segments sealed and retracted, sessions settled"),
    TopicSpec(Topic.ANALYSES, "verdicts and every other end of an analysis job"),
    TopicSpec(
        Topic.CONFIG,
        "tenants, keys, passes, prompts, policies, subscriptions",
        is_compacted=True,
        has_one_partition=True,
    ),
    TopicSpec(Topic.DEAD_LETTERS, "records that could not be used, with the reason", 28 * DAY_MS),
)


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partition_count: int) -> int:
    """The partition of a key: Kafka's own murmur2 rule, so that every client agrees."""
    digest: int = murmur2(key)
    return (digest & 0x7FFFFFFF) % partition_count
