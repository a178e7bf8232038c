"""What the sealer measures of itself."""

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

WATERMARK_AGE = Gauge(
    "parley_sealer_watermark_age_seconds",
    "How far a partition's watermark lies behind this machine's clock.",
    ["partition"],
)
WATERMARK = Gauge(
    "parley_sealer_watermark_timestamp_seconds",
    "A partition's watermark, in seconds since 1970; absent before its first record.",
    ["partition"],
)
OVERDUE = Gauge(
    "parley_sealer_overdue_seconds",
    "For how long a partition's next deadline has passed by this machine's clock; 0 where none "
    "has.",
    ["partition"],
)
OPEN_WINDOWS = Gauge("parley_sealer_open_windows", "Segments that are open.", ["partition"])
SEALS = Counter("parley_sealer_seals_total", "Segments sealed, revisions included.", ["cause"])
REVISIONS = Counter("parley_sealer_revisions_total", "Seals that replaced an earlier one.")
RETRACTIONS = Counter("parley_sealer_retractions_total", "Segments that another swallowed.")
SEAL_DELAY = Histogram(
    "parley_sealer_seal_delay_seconds",
    "Seconds from a window's deadline until its seal was committed and went to its relay.",
    buckets=(0.5, 1, 2, 3, 5, 7, 10, 20, 60, 600, 3_600),
)
SETTLED = Counter("parley_sealer_sessions_settled_total", "Sessions that nobody ended.")
TICKS = Counter("parley_sealer_ticks_total", "Ticks written because no record came.")


def forget_partition(partition: int) -> None:
    """Stop exporting a partition that another worker owns now."""
    for gauge in (WATERMARK_AGE, WATERMARK, OVERDUE, OPEN_WINDOWS):
        # It is there only once it was set.
        with suppress(KeyError):
            gauge.remove(str(partition))
