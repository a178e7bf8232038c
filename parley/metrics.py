"""Metrics that every consumer exports; a service's own stand beside what they measure."""

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_AGE = Gauge(
    "parley_outbox_oldest_seconds",
    "Age of the oldest outbox row that is not published yet.",
    ["consumer", "partition"],
)
CONSUMER_LAG = Gauge(
    "parley_consumer_lag_records",
    "Records in the partition that the tables do not hold yet.",
    ["consumer", "topic", "partition"],
)
CONSUMER_LAG_SECONDS = Gauge(
    "parley_consumer_lag_seconds",
    "How long ago the broker appended the oldest record that the tables do not hold yet.",
    ["consumer", "topic", "partition"],
)
BATCH_RECORDS = Histogram(
    "parley_consumer_batch_records",
    "Records in one transaction.",
    ["consumer"],
    buckets=(1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000),
)
BATCH_SECONDS = Histogram(
    "parley_consumer_batch_seconds",
    "Seconds from a batch's first step to its commit.",
    ["consumer"],
)
RETRIES = Counter(
    "parley_consumer_retries_total",
    "Transactions tried again after an error that passes by itself.",
    ["consumer"],
)
FENCE_LOSSES = Counter(
    "parley_consumer_fence_losses_total",
    "Batches without effect because another worker owned the offset.",
    ["consumer"],
)
PARTITIONS_STOPPED = Gauge(
    "parley_consumer_partitions_stopped",
    "Partitions that stand still until somebody acts.",
    ["consumer"],
)
PARTITIONS_WAITING = Gauge(
    "parley_consumer_partitions_waiting",
    "Partitions whose last transaction failed and is tried again until it succeeds.",
    ["consumer"],
)


def forget_partition(consumer: str, topic: str, partition: int) -> None:
    """Stop exporting a partition that another worker owns now."""
    for gauge, labels in (
        (CONSUMER_LAG, (consumer, topic, str(partition))),
        (CONSUMER_LAG_SECONDS, (consumer, topic, str(partition))),
        (OUTBOX_AGE, (consumer, str(partition))),
    ):
        # It is there only once it was set.
        with suppress(KeyError):
            gauge.remove(*labels)


DEAD_LETTERS = Counter(
    "parley_dead_letters_total",
    "Records that could not be used.",
    ["service", "reason"],
)
CONFIG_SKIPPED = Counter(
    "parley_config_skipped_total",
    "Records of the config topic without effect: what they were about is not known from then on.",
    ["reason"],
)
CONFIG_RECONNECTS = Counter(
    "parley_config_reconnects_total", "Times that reading the config topic began anew."
)
