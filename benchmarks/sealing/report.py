"""What the runs found, against what the sealer should reach."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table as ScreenTable

from benchmarks.results import RunSeries, Target
from benchmarks.sealing import kafka_streams, parley_sealer, quix_streams, traffic

WANTED_TIMES_STREAMS: Final = 3.0


@dataclass(frozen=True, slots=True)
class SealingReport:
    """Everything that was found; `missing` names what was not measured, and why."""

    series: tuple[RunSeries, ...]
    missing: dict[str, str]

    def find(self, name: str) -> RunSeries | None:
        """The series of that name; None where it was not measured."""
        return next((one for one in self.series if one.name == name), None)


def targets(report: SealingReport) -> tuple[Target, ...]:
    """The sealer with one worker against Kafka Streams with one thread."""
    ours, theirs = report.find(parley_sealer.NAME), report.find(kafka_streams.NAME)
    if ours is None or theirs is None:
        return ()
    field = "events_per_second"
    times = ours.median(field) / theirs.median(field)
    name = "events/s, times Kafka Streams' (RocksDB, suppress, one thread)"
    return (Target(name, "x", times, WANTED_TIMES_STREAMS, is_at_least=True),)


def show(report: SealingReport, console: Console) -> None:
    """Print the table."""
    console.print(_table(report.series))
    for name, reason in report.missing.items():
        console.print(f"not measured: {name}: {reason}", style="yellow")


def _table(series: Sequence[RunSeries]) -> ScreenTable:
    table = ScreenTable(
        title=f"{traffic.EVENTS:,} events into {len(traffic.segments()):,} session windows: "
        "medians; CPU seconds per 100,000"
    )
    table.add_column("what")
    for name in (
        "events/s",
        "(least … most)",
        "CPU",
        "without start",
        "broker CPU",
        "PostgreSQL CPU",
        "peak MB",
        "start s",
        "segments same",
        "missing",
        "different",
    ):
        table.add_column(name, justify="right")
    for one in series:
        table.add_row(one.name, *_cells(one))
    return table


def _cells(one: RunSeries) -> list[str]:
    last = one.runs[-1].segments
    return [
        f"{one.median('events_per_second'):,.0f}",
        "{:,.0f} … {:,.0f}".format(*one.spread("events_per_second")),
        f"{one.median('cpu_seconds'):.2f}",
        f"{one.median('busy_cpu_seconds'):.2f}",
        f"{one.median('broker_cpu_seconds'):.2f}",
        f"{one.median('postgres_cpu_seconds'):.2f}",
        f"{one.median('peak_rss_bytes') / 1e6:,.0f}",
        f"{one.median('start_seconds'):.1f}",
        *(f"{count:,}" for count in (last.same, last.missing, last.different)),
    ]


def as_json(report: SealingReport) -> dict[str, Any]:
    """For the file."""
    versions = {
        kafka_streams.NAME: kafka_streams.VERSION,
        quix_streams.NAME: quix_streams.VERSION,
    }
    series = [asdict(one) for one in report.series]
    return {"series": series, "not_measured": report.missing, "peer_versions": versions}
