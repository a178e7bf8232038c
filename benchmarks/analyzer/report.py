"""What the analyzer's runs found, against what it should reach."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table as ScreenTable

from benchmarks.analyzer.backfill import LIVE_PER_SECOND, BackfillFindings
from benchmarks.results import RunSeries, Target

BARE: Final = "aiohttp, a bare loop"
BARE_OPENAI: Final = "OpenAI's client, a bare loop"
PROMPT_JOBS: Final = "Parley, prompts"
CODE_JOBS: Final = "Parley, code"
ALONE: Final = "without a backfill"
BESIDE: Final = "beside a backfill"
ENQUEUING: Final = "segments into jobs"

WANTED_JOBS: Final = 500.0
WANTED_SEGMENTS: Final = 5_000.0
MOST_TIMES_SLOWER: Final = 2.0


@dataclass(frozen=True, slots=True)
class AnalyzerReport:
    """Everything that was found; `backfill` is None where it was left out."""

    series: tuple[RunSeries, ...]
    backfill: BackfillFindings | None
    job_count: int
    segment_count: int

    def find(self, name: str) -> RunSeries:
        """The series of that name; raises StopIteration."""
        return next(one for one in self.series if one.name == name)

    def latencies(self) -> tuple[RunSeries, ...]:
        """Live segments alone, and beside a backfill."""
        if self.backfill is None:
            return ()
        both = (ALONE, self.backfill.alone), (BESIDE, self.backfill.beside)
        return tuple(RunSeries(name, found) for name, found in both)

    def enqueuing(self) -> RunSeries | None:
        """A backfill's jobs being made."""
        return None if self.backfill is None else RunSeries(ENQUEUING, self.backfill.enqueuing)


def targets(report: AnalyzerReport) -> tuple[Target, ...]:
    """Rates, and what a backfill costs live segments."""
    found = [
        Target(
            f"jobs/s, {name}", "", report.find(name).median("jobs_per_second"), WANTED_JOBS, True
        )
        for name in (PROMPT_JOBS, CODE_JOBS)
    ]
    enqueuing = report.enqueuing()
    if enqueuing is not None:
        rate = enqueuing.median("segments_per_second")
        found.append(Target("segments/s into jobs", "", rate, WANTED_SEGMENTS, True))
        alone, beside = (one.median("p95_s") for one in report.latencies())
        name = "p95 from seal to verdict beside a backfill, times that without"
        found.append(Target(name, "x", beside / alone, MOST_TIMES_SLOWER, False))
    return tuple(found)


def show(report: AnalyzerReport, console: Console) -> None:
    """Print the tables."""
    console.print(_jobs_table(report))
    if report.backfill is not None:
        console.print(_latency_table(report.latencies()))
        console.print(_enqueue_table(report, report.backfill))


def _jobs_table(report: AnalyzerReport) -> ScreenTable:
    title = f"{report.job_count:,} jobs, or calls: medians; CPU seconds per 1,000"
    bare = report.find(BARE).median("jobs_per_second")
    columns = ("per second", "(least … most)", "of the bare loop", "CPU", "PostgreSQL CPU")
    table = _table(title, *columns, "broker CPU", "peak MB", "MB at the end")
    for one in report.series:
        rate = one.median("jobs_per_second")
        table.add_row(
            one.name,
            f"{rate:,.0f}",
            "{:,.0f} … {:,.0f}".format(*one.spread("jobs_per_second")),
            f"{100 * rate / bare:.0f} %",
            f"{one.median('cpu_seconds'):.2f}",
            *_servers(one),
        )
    return table


def _servers(one: RunSeries) -> list[str]:
    peak = f"{one.median('peak_rss_bytes') / 1e6:,.0f}"
    if one.name in (BARE, BARE_OPENAI):
        return ["", "", peak, ""]
    return [
        f"{one.median('postgres_cpu_seconds'):.2f}",
        f"{one.median('broker_cpu_seconds'):.2f}",
        peak,
        f"{one.median('rss_bytes') / 1e6:,.0f}",
    ]


def _latency_table(series: Sequence[RunSeries]) -> ScreenTable:
    title = f"From a seal's append to its verdict's, {LIVE_PER_SECOND} live segments/s: medians"
    table = _table(title, "p50 ms", "p95 ms", "(least … most)", "p99 ms", "cores used")
    for one in series:
        table.add_row(
            one.name,
            f"{one.median('p50_s') * 1_000:,.0f}",
            f"{one.median('p95_s') * 1_000:,.0f}",
            "{:,.0f} … {:,.0f}".format(*(1_000 * seconds for seconds in one.spread("p95_s"))),
            f"{one.median('p99_s') * 1_000:,.0f}",
            f"{one.median('cpu_share'):.2f}",
        )
    return table


def _enqueue_table(report: AnalyzerReport, found: BackfillFindings) -> ScreenTable:
    title = f"A backfill of {report.segment_count:,} segments: medians; CPU seconds per 100,000"
    columns = ("per second", "(least … most)", "CPU", "PostgreSQL CPU", "peak MB", "MB at the end")
    table = _table(title, *columns)
    one = RunSeries(ENQUEUING, found.enqueuing)
    table.add_row(
        one.name,
        f"{one.median('segments_per_second'):,.0f}",
        "{:,.0f} … {:,.0f}".format(*one.spread("segments_per_second")),
        f"{one.median('cpu_seconds'):.1f}",
        f"{one.median('postgres_cpu_seconds'):.1f}",
        f"{found.peak_rss_bytes / 1e6:,.0f}",
        f"{found.rss_bytes / 1e6:,.0f}",
    )
    return table


def _table(title: str, *columns: str) -> ScreenTable:
    table = ScreenTable(title=title)
    table.add_column("what")
    for name in columns:
        table.add_column(name, justify="right")
    return table


def as_json(report: AnalyzerReport) -> dict[str, Any]:
    """For the file."""
    return asdict(report)
