"""When conversations count as quiet: the log's time, open segments, and how late seals are."""

from typing import Final

from deploy.grafana.boards.consumer_panels import consumer_panels
from deploy.grafana.panels import Board, Panel, Query, Unit, process_panels, quantile, rate

SEALER: Final = Board(
    "parley-sealer",
    "Parley: sealer",
    "When conversations count as quiet: the log's time, open segments, and how late seals are.",
    [
        Panel(
            "Seals by cause",
            Unit.PER_SECOND,
            "Segments that closed, revisions included: idle, ended, forced, cap, late, import.",
            [Query(rate("parley_sealer_seals_total", "cause"), "{{cause}}")],
            is_stacked=True,
        ),
        Panel(
            "Open segments",
            Unit.COUNT,
            "Segments that wait for their deadline.",
            [Query("sum(parley_sealer_open_windows)", "open")],
        ),
        Panel(
            "From deadline to seal",
            Unit.SECONDS,
            "How late segments are sealed. Without traffic it takes a tick, some 6 seconds.",
            [
                Query(quantile(share, "parley_sealer_seal_delay_seconds"), f"p{share * 100:.0f}")
                for share in (0.5, 0.95)
            ],
        ),
        Panel(
            "Overdue",
            Unit.SECONDS,
            "For how long the next deadline has passed, in the worst partition. Above 30 s for "
            "a minute "
            "is an alert.",
            [Query("max(parley_sealer_overdue_seconds)", "worst partition")],
        ),
        Panel(
            "Age of the watermark",
            Unit.SECONDS,
            "How far the log's time is behind the clock. It grows where nothing is said and "
            "nothing is "
            "due; it must not where something is.",
            [
                Query("max(parley_sealer_watermark_age_seconds)", "oldest partition"),
                Query("min(parley_sealer_watermark_age_seconds)", "newest partition"),
            ],
        ),
        Panel(
            "Revisions and retractions",
            Unit.PER_SECOND,
            "Seals that replaced an earlier one, and segments that another swallowed: late "
            "messages.",
            [
                Query(rate("parley_sealer_revisions_total"), "revisions"),
                Query(rate("parley_sealer_retractions_total"), "retractions"),
            ],
        ),
        Panel(
            "Ticks, and sessions that nobody ended",
            Unit.PER_SECOND,
            "Ticks move the log's time where no record comes and something is due.",
            [
                Query(rate("parley_sealer_ticks_total"), "ticks"),
                Query(rate("parley_sealer_sessions_settled_total"), "sessions settled"),
            ],
        ),
        *consumer_panels("sealer"),
        *process_panels("sealer"),
    ],
)
