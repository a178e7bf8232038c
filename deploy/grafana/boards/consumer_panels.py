"""Panels that every consumer of the log has."""

from collections.abc import Sequence

from deploy.grafana.panels import Panel, Query, Unit, mean, quantile, rate


def consumer_panels(consumers: str) -> Sequence[Panel]:
    """How the consumers fare whose names match this expression."""
    where = f'consumer=~"{consumers}"'
    return (
        Panel(
            "Lag",
            Unit.SECONDS,
            "Age of the oldest record that the tables do not hold yet.",
            [Query(f"max by (consumer) (parley_consumer_lag_seconds{{{where}}})", "{{consumer}}")],
        ),
        Panel(
            "Records in a batch",
            Unit.COUNT,
            "On average. Full batches and a growing lag: there is too much to do for so many "
            "processes.",
            [Query(mean("parley_consumer_batch_records", "consumer", where), "{{consumer}}")],
        ),
        Panel(
            "Batch duration",
            Unit.SECONDS,
            "95 % of the batches are committed within this time. Long batches: look at the "
            "database.",
            [
                Query(
                    quantile(0.95, "parley_consumer_batch_seconds", "consumer", where),
                    "{{consumer}}",
                )
            ],
        ),
        Panel(
            "Partitions that stand still",
            Unit.COUNT,
            "Stopped: until somebody acts. Waiting: a batch is tried again and again.",
            [
                Query(
                    f"sum by (consumer) (parley_consumer_partitions_{state}{{{where}}})",
                    f"{state} {{{{consumer}}}}",
                )
                for state in ("stopped", "waiting")
            ],
        ),
        Panel(
            "Retries and fence losses",
            Unit.PER_SECOND,
            "Batches tried again after an error that passes by itself; and batches without effect "
            "since another worker owned the partition, as around a rebalance.",
            [
                Query(rate("parley_consumer_retries_total", where=where), "retries"),
                Query(rate("parley_consumer_fence_losses_total", where=where), "fence losses"),
            ],
        ),
        Panel(
            "Outbox",
            Unit.SECONDS,
            "Age of the oldest thing that is committed and not published yet.",
            [Query(f"max by (consumer) (parley_outbox_oldest_seconds{{{where}}})", "{{consumer}}")],
        ),
    )
