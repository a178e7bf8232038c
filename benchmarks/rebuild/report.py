"""What the rebuilds found, against what one should reach."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table as ScreenTable

from benchmarks.results import RunSeries, Target

WANTED_EVENTS_PER_SECOND: Final = 25_000.0
# How many times the memory of the first half the whole may take.
MOST_GROWTH: Final = 1.15


@dataclass(frozen=True, slots=True)
class ReplayRun:
    """One of the processes that replay; CPU seconds are per 100,000 events."""

    cpu_seconds: float
    peak_rss_bytes: int
    rss_growth: float
    """Its most memory, times the most of the first half of its life."""


@dataclass(frozen=True, slots=True)
class RebuildRun:
    """One whole `parley rebuild`; CPU seconds are per 100,000 events."""

    events_per_second: float
    seconds: float
    held_seconds: float
    """How long the services would have stood still."""
    postgres_cpu_seconds: float
    replays: dict[str, ReplayRun]


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """Everything that was found."""

    event_count: int
    runs: tuple[RebuildRun, ...]

    @property
    def series(self) -> RunSeries:
        """The runs, for their medians."""
        return RunSeries("parley rebuild", self.runs)


def targets(report: RebuildReport) -> tuple[Target, ...]:
    """The rate of the whole command, and memory that does not grow."""
    rate = report.series.median("events_per_second")
    growth = max(one.rss_growth for run in report.runs for one in run.replays.values())
    return (
        Target("events/s of a rebuild", "/s", rate, WANTED_EVENTS_PER_SECOND, is_at_least=True),
        Target("memory, times that of the first half", "x", growth, MOST_GROWTH, is_at_least=False),
    )


def show(report: RebuildReport, console: Console) -> None:
    """Print the tables."""
    series = report.series
    table = ScreenTable(title=f"{report.event_count:,} events: medians; CPU seconds per 100,000")
    for name in ("what", "events/s", "(least … most)", "held s", "CPU", "peak MB", "growth"):
        table.add_column(name)
    table.add_row(
        series.name,
        f"{series.median('events_per_second'):,.0f}",
        "{:,.0f} … {:,.0f}".format(*series.spread("events_per_second")),
        f"{series.median('held_seconds'):.2f}",
    )
    for name in report.runs[0].replays:
        found = [run.replays[name] for run in report.runs]
        table.add_row(
            f"its replay of the {name}",
            *("", "", ""),
            f"{median(one.cpu_seconds for one in found):.2f}",
            f"{median(one.peak_rss_bytes for one in found) / 1e6:,.0f}",
            f"{median(one.rss_growth for one in found):.2f}",
        )
    table.add_row("PostgreSQL", "", "", "", f"{series.median('postgres_cpu_seconds'):.2f}")
    console.print(table)


def as_json(report: RebuildReport) -> dict[str, Any]:
    """For the file."""
    return asdict(report)
