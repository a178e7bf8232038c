"""What the sinks' runs found, against what the persister should reach."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table as ScreenTable

from benchmarks.results import RunSeries, Target
from benchmarks.sink.debezium import VERSION

WANTED_TIMES_DEBEZIUM: Final = 2.0
# Percent.
WANTED_SHARE_OF_COPY: Final = 35.0
WANTED_SHARE_OF_CPU: Final = 40.0
WANTED_SHARE_OF_MEMORY: Final = 10.0


@dataclass(frozen=True, slots=True)
class SinkReport:
    """Everything that was found; `missing` names what was not measured, and why."""

    series: tuple[RunSeries, ...]
    missing: dict[str, str]

    def find(self, name: str) -> RunSeries:
        """The series of that name; raises StopIteration."""
        return next(one for one in self.series if one.name == name)


def targets(report: SinkReport, simple: str, raw_copy: str) -> tuple[Target, ...]:
    """The persister's simple table against the best of the peers' variants, and against COPY."""
    ours, limit = report.find(simple), report.find(raw_copy)
    share = 100 * ours.median("rows_per_second") / limit.median("rows_per_second")
    name = "rows/s, share of COPY from a file"
    found = [Target(name, "%", share, WANTED_SHARE_OF_COPY, is_at_least=True)]
    peers = [one for one in report.series if one.name.startswith("Debezium")]
    if not peers:
        return tuple(found)
    best = max(peers, key=lambda one: one.median("rows_per_second"))
    times = ours.median("rows_per_second") / best.median("rows_per_second")
    name = f"rows/s, times the best of Debezium's ({best.name.partition(', ')[2]})"
    found.append(Target(name, "x", times, WANTED_TIMES_DEBEZIUM, is_at_least=True))
    for field, name, limit_percent in (
        ("cpu_seconds", "process CPU, start included, share of its", WANTED_SHARE_OF_CPU),
        ("busy_cpu_seconds", "process CPU without the start, share of its", WANTED_SHARE_OF_CPU),
        ("peak_rss_bytes", "peak memory, share of its", WANTED_SHARE_OF_MEMORY),
    ):
        percent = 100 * ours.median(field) / best.median(field)
        found.append(Target(name, "%", percent, limit_percent, is_at_least=False))
    return tuple(found)


def show(report: SinkReport, console: Console) -> None:
    """Print the table."""
    console.print(_table(report.series))
    for name, reason in report.missing.items():
        console.print(f"not measured: {name}: {reason}", style="yellow")


def _table(series: Sequence[RunSeries]) -> ScreenTable:
    table = ScreenTable(title="200,000 messages into PostgreSQL: medians; CPU seconds per 100,000")
    table.add_column("what")
    for name in (
        "rows/s",
        "(least … most)",
        "CPU",
        "without start",
        "PostgreSQL CPU",
        "peak MB",
        "start s",
    ):
        table.add_column(name, justify="right")
    for one in series:
        table.add_row(one.name, *_cells(one))
    return table


def _cells(one: RunSeries) -> list[str]:
    return [
        f"{one.median('rows_per_second'):,.0f}",
        "{:,.0f} … {:,.0f}".format(*one.spread("rows_per_second")),
        f"{one.median('cpu_seconds'):.2f}",
        f"{one.median('busy_cpu_seconds'):.2f}",
        f"{one.median('postgres_cpu_seconds'):.2f}",
        f"{one.median('peak_rss_bytes') / 1e6:,.0f}",
        f"{one.median('start_seconds'):.1f}",
    ]


def as_json(report: SinkReport) -> dict[str, Any]:
    """For the file."""
    series = [asdict(one) for one in report.series]
    return {"series": series, "not_measured": report.missing, "debezium": VERSION}
