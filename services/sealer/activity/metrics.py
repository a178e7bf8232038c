"""What the activity worker measures of itself; no tenants, channels or conversations."""

from contextlib import suppress

from prometheus_client import Counter, Gauge

MESSAGES = Counter("parley_activity_messages_total", "Messages counted.")
SKIPPED = Counter(
    "parley_activity_records_skipped_total", "Records that could not be read.", ["reason"]
)
LAG = Gauge(
    "parley_activity_lag_records",
    "Records in the partition that are not counted yet.",
    ["partition"],
)
GROUPS = Gauge("parley_activity_groups", "Pairs of tenant and channel with talk of late.")
BEGINNINGS = Counter(
    "parley_activity_beginnings_total",
    "Partitions that were read anew from a quarter of an hour ago, as after every rebalance.",
)
MEASUREMENTS = Counter(
    "parley_activity_measurements_total", "Measurements, by what became of them.", ["outcome"]
)


def forget_partition(partition: int) -> None:
    """Stop exporting a partition that another worker counts now."""
    # It is there only once it was set.
    with suppress(KeyError):
        LAG.remove(str(partition))
