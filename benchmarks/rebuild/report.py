"""What the rebuilds found, against what one should reach."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table as ScreenTable

from benchmarks.results import RunSeries, Target

# Of each process that replays, while no other does.
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
class AloneRun:
    """One of them while the other does nothing, from the first record to the last one's row."""

    events_per_second: float
    postgres_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class RebuildRun:
    """One whole `parley rebuild`; CPU seconds are per 100,000 events."""

    events_per_second: float
    seconds: float
    held_seconds: float
    """How long the services would have stood still."""
    seals_compared: int
    postgres_cpu_seconds: float
    replays: dict[str, ReplayRun]
    alone: dict[str, AloneRun] = field(default_factory=dict)


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
    """The rate of the slowest process, and memory that does not grow."""
    rate = min(median(_alone(report, name)) for name in report.runs[0].alone)
    growth = max(one.rss_growth for run in report.runs for one in run.replays.values())
    return (
        Target("events/s a process", "/s", rate, WANTED_EVENTS_PER_SECOND, is_at_least=True),
        Target("memory, times that of the first half", "x", growth, MOST_GROWTH, is_at_least=False),
    )


def _alone(report: RebuildReport, name: str) -> list[float]:
    return [run.alone[name].events_per_second for run in report.runs]


def show(report: RebuildReport, console: Console) -> None:
    """Print the tables."""
    series = report.series
    table = ScreenTable(title=f"{report.event_count:,} events: medians; CPU seconds per 100,000")
    for name in (
        "what",
        "events/s",
        "(least … most)",
        "held s",
        "CPU",
        "PostgreSQL",
        "peak MB",
        "growth",
    ):
        table.add_column(name)
    table.add_row(
        series.name,
        f"{series.median('events_per_second'):,.0f}",
        "{:,.0f} … {:,.0f}".format(*series.spread("events_per_second")),
        f"{series.median('held_seconds'):.2f}",
        "",
        f"{series.median('postgres_cpu_seconds'):.2f}",
    )
    for name in report.runs[0].replays:
        found = [run.replays[name] for run in report.runs]
        table.add_row(
            f"  its replay of the {name}",
            *("", "", ""),
            f"{median(one.cpu_seconds for one in found):.2f}",
            "",
            f"{median(one.peak_rss_bytes for one in found) / 1e6:,.0f}",
            f"{median(one.rss_growth for one in found):.2f}",
        )
    for name in report.runs[0].alone:
        rates = _alone(report, name)
        table.add_row(
            f"the {name}'s replay alone",
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f} … {max(rates):,.0f}",
            *("", ""),
            f"{median(run.alone[name].postgres_cpu_seconds for run in report.runs):.2f}",
        )
    console.print(table)


def as_json(report: RebuildReport) -> dict[str, Any]:
    """For the file."""
    return asdict(report)
