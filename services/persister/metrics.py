"""What the persister exports beside the consumers' own metrics."""

from contextlib import suppress

from prometheus_client import Counter, Gauge

from parley.tallies import Durations

RECORDS = Counter(
    "parley_persister_records_total",
    "Records by what became of them: stored, duplicate, dead_lettered or not_for_table.",
    ["topic", "outcome"],
)
LEDGER_RESIDUE = Gauge(
    "parley_persister_ledger_residue",
    "Records below the fence that the ledger does not account for; anything but 0 is a fault.",
    ["topic", "partition"],
)
RECEIPT_TO_ROW = Durations(
    "parley_persister_receipt_to_row_seconds",
    "Seconds from an event's arrival at a gateway until its rows were committed; imports are not "
    "counted.",
    bounds=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 600),
)
STORED_THOUGH_REFUSED = Counter(
    "parley_persister_stored_though_refused_total",
    "Records that a replay stored before it read that they had been refused; a rebuild drops them.",
)
INBOX = Counter(
    "parley_persister_inbox_messages_total",
    "Messages that were written with SQL, by what became of them: published or refused.",
    ["outcome"],
)


def forget_partition(topic: str, partition: int) -> None:
    """Stop exporting a partition that another worker owns now."""
    # It is there only once it was set.
    with suppress(KeyError):
        LEDGER_RESIDUE.remove(topic, str(partition))
