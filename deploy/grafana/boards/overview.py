"""Is anything wrong, and where: the first dashboard to look at."""

from typing import Final

from deploy.grafana.panels import Board, Panel, Query, Unit, quantile, rate

OVERVIEW: Final = Board(
    "parley-overview",
    "Parley: overview",
    "Is anything wrong, and in which service?",
    [
        Panel(
            "Alerts",
            Unit.COUNT,
            "Alerts that fire now. Each names its runbook.",
            [
                Query(
                    'count(ALERTS{alertname=~"Parley.+", alertstate="firing"}) or vector(0)',
                    "firing",
                )
            ],
            is_stat=True,
            bad_above=0,
        ),
        Panel(
            "Durable events",
            Unit.RATIO,
            "Share of the events of 5 minutes that became durable. The aim is 99.9 %.",
            [Query("parley:durable_success:ratio_rate5m", "durable")],
            is_stat=True,
            bad_below=0.995,
        ),
        Panel(
            "Ledger residue",
            Unit.COUNT,
            "Records that nobody accounts for. Anything but 0 is a fault.",
            [Query("sum(abs(parley_persister_ledger_residue))", "records")],
            is_stat=True,
            bad_above=0,
        ),
        Panel(
            "Connections",
            Unit.COUNT,
            "WebSockets that are open, on all gateways.",
            [Query("sum(parley_gateway_connections)", "open")],
            is_stat=True,
        ),
        Panel(
            "Events by outcome",
            Unit.PER_SECOND,
            "What clients were told of their events. Anything but durable is sent again.",
            [Query(rate("parley_gateway_events_total", "outcome"), "{{outcome}}")],
            is_stacked=True,
        ),
        Panel(
            "Error budget",
            Unit.COUNT,
            "How many times as fast as allowed the budget of 0.1 % in 30 days is spent. 14.4 "
            "over an "
            "hour, or 6 over 6 hours, is an alert that wants somebody now.",
            [
                Query(f"parley:durable_errors:ratio_rate{window} / 0.001", window)
                for window in ("1h", "6h", "1d", "3d")
            ],
        ),
        Panel(
            "Time until an acknowledgement",
            Unit.SECONDS,
            "From an event's arrival at a gateway to Kafka's acknowledgement.",
            [
                Query(quantile(share, "parley_gateway_ack_seconds"), f"p{share * 100:.0f}")
                for share in (0.5, 0.99)
            ],
        ),
        Panel(
            "Time until a row",
            Unit.SECONDS,
            "From an event's arrival at a gateway until its rows are committed. More than a "
            "second on "
            "average is an alert.",
            [
                Query("parley:receipt_to_row_seconds:mean5m", "mean of 5 minutes"),
                Query(quantile(0.99, "parley_persister_receipt_to_row_seconds"), "p99"),
            ],
        ),
        Panel(
            "Lag by consumer",
            Unit.SECONDS,
            "Age of the oldest record that a consumer's tables do not hold yet. Above a minute "
            "for two "
            "is an alert.",
            [Query("max by (consumer) (parley:consumer_lag_seconds:max)", "{{consumer}}")],
        ),
        Panel(
            "Segments and verdicts",
            Unit.PER_SECOND,
            "What comes out at the end: segments sealed, and jobs of passes that ended.",
            [
                Query(rate("parley_sealer_seals_total"), "segments sealed"),
                Query(rate("parley_analyzer_jobs_ended_total", where='end="verdict"'), "verdicts"),
            ],
        ),
        Panel(
            "Dead letters",
            Unit.PER_SECOND,
            "Records that could not be used, by why.",
            [Query(rate("parley_dead_letters_total", "reason"), "{{reason}}")],
        ),
        Panel(
            "Processes that answer",
            Unit.COUNT,
            "Of each service, as Prometheus sees them.",
            [Query('sum by (service) (up{service!=""})', "{{service}}")],
        ),
    ],
)
