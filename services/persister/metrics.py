"""What the persister exports beside the consumers' own metrics."""

from prometheus_client import Counter, Gauge

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
STORED_THOUGH_REFUSED = Counter(
    "parley_persister_stored_though_refused_total",
    "Records that a replay stored before it read that they had been refused; a rebuild drops them.",
)
INBOX = Counter(
    "parley_persister_inbox_messages_total",
    "Messages that were written with SQL, by what became of them: published or refused.",
    ["outcome"],
)
