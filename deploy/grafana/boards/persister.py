"""The log into rows: how fast, what became of each record, and what could not be stored."""

from typing import Final

from deploy.grafana.boards.consumer_panels import consumer_panels
from deploy.grafana.panels import Board, Panel, Query, Unit, process_panels, quantile, rate

PERSISTER: Final = Board(
    "parley-persister",
    "Parley: persister",
    "The log into rows: how fast, what became of each record, and what could not be stored.",
    [
        Panel(
            "Records by outcome",
            Unit.PER_SECOND,
            "What became of the records that were read. Duplicates are what was sent twice.",
            [Query(rate("parley_persister_records_total", "outcome"), "{{outcome}}")],
            is_stacked=True,
        ),
        Panel(
            "Time until a row",
            Unit.SECONDS,
            "From an event's arrival at a gateway until its rows are committed, without imports.",
            [
                Query(
                    quantile(share, "parley_persister_receipt_to_row_seconds"),
                    f"p{share * 100:.0f}",
                )
                for share in (0.5, 0.95, 0.99)
            ],
        ),
        *consumer_panels("persister.*"),
        Panel(
            "Dead letters",
            Unit.PER_SECOND,
            "Records that could not be stored, by why.",
            [Query(rate("parley_dead_letters_total", "reason"), "{{reason}}")],
        ),
        Panel(
            "Ledger residue",
            Unit.COUNT,
            "Records that nobody accounts for. Anything but 0 is a fault.",
            [Query("sum by (topic) (abs(parley_persister_ledger_residue))", "{{topic}}")],
        ),
        Panel(
            "Messages written with SQL",
            Unit.PER_SECOND,
            "By what became of them: published into the log, or refused.",
            [Query(rate("parley_persister_inbox_messages_total", "outcome"), "{{outcome}}")],
        ),
        *process_panels("persister"),
    ],
)
