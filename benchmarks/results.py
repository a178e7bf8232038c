"""What a run found, against what it should reach: on the screen, and as a file to keep."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.processes import Run
from tests.support.processes import ROOT

FOLDER: Final = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that must be reached: at least, or at most."""

    name: str
    unit: str
    value: float
    limit: float
    is_at_least: bool

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.value >= self.limit if self.is_at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Series:
    """The same measurement several times, in turns with the others."""

    name: str
    runs: tuple[Run, ...]

    def median(self, field: str) -> float:
        """The middle one of a figure of the findings."""
        return float(median(getattr(run.findings, field) for run in self.runs))

    def spread(self, field: str) -> tuple[float, float]:
        """The least and the most of a figure of the findings."""
        values = [getattr(run.findings, field) for run in self.runs]
        return min(values), max(values)

    def cpu(self, process: str) -> float:
        """Median CPU seconds of a process per 100,000."""
        return median(run.cpu_seconds_per_100_000[process] for run in self.runs)


@dataclass(frozen=True, slots=True)
class RunSeries:
    """One of those that are compared, several times, in turns with the others."""

    name: str
    runs: tuple[Any, ...]

    def median(self, field: str) -> float:
        """The middle one of a figure."""
        return float(median(getattr(run, field) for run in self.runs))

    def spread(self, field: str) -> tuple[float, float]:
        """The least and the most of a figure."""
        values = [getattr(run, field) for run in self.runs]
        return min(values), max(values)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of one `make bench`."""

    surroundings: dict[str, Any]
    series: tuple[Series, ...]
    targets: tuple[Target, ...]
    tracker: dict[str, Any]
    """What `benchmarks.tracker` found, by pace; empty where it was left out."""

    def find(self, name: str) -> Series:
        """The series of that name; raises StopIteration."""
        return next(one for one in self.series if one.name == name)


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    console.print(_series_table(report.series))
    show_targets(report.targets, console)


def show_targets(targets: Sequence[Target], console: Console) -> None:
    """Print what is met."""
    console.print(_targets_table(targets))


def save(report: Report) -> Path:
    """Write the gateway's figures down; returns the file."""
    content = {"series": [asdict(one) for one in report.series], "tracker": report.tracker}
    return save_part("gateway", report.surroundings, report.targets, content)


def save_part(
    part: str, surroundings: dict[str, Any], targets: Sequence[Target], content: dict[str, Any]
) -> Path:
    """Write the figures of one part down, with where they are from; returns the file."""
    path = stem(surroundings, part).with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    judged = [{**asdict(one), "is_met": one.is_met} for one in targets]
    whole = {**surroundings, "part": part, "targets": judged, **content}
    path.write_bytes(orjson.dumps(_rounded(whole), option=orjson.OPT_INDENT_2))
    return path


def stem(surroundings: dict[str, Any], part: str) -> Path:
    """Where the files of a run lie, without their endings."""
    at = surroundings["at"].replace(":", "").replace("-", "")[:15]
    return FOLDER / f"{at}-{surroundings['commit'].replace('+', '-')}-{part}"


def _series_table(series: Sequence[Series]) -> Table:
    table = Table(title="Medians of the runs; CPU seconds are per 100,000 frames")
    table.add_column("what")
    for name in ("per second", "(least … most)", "p50 ms", "p99 ms", "(least … most)"):
        table.add_column(name, justify="right")
    for name in ("server CPU", "generator CPU", "broker CPU"):
        table.add_column(name, justify="right")
    for one in series:
        table.add_row(
            one.name,
            f"{one.median('per_second'):,.0f}",
            "{:,.0f} … {:,.0f}".format(*one.spread("per_second")),
            f"{one.median('p50_ms'):.1f}",
            f"{one.median('p99_ms'):.1f}",
            "{:.1f} … {:.1f}".format(*one.spread("p99_ms")),
            *(f"{one.cpu(process):.2f}" for process in ("server", "generator", "broker")),
        )
    return table


def _targets_table(targets: Sequence[Target]) -> Table:
    table = Table(title="Targets")
    for name in ("target", "found", "wanted", ""):
        table.add_column(name, justify="left" if name == "target" else "right")
    for one in targets:
        sign = "≥" if one.is_at_least else "≤"
        table.add_row(
            one.name,
            f"{one.value:.1f} {one.unit}",
            f"{sign} {one.limit:g} {one.unit}",
            "[green]met[/]" if one.is_met else "[red]not met[/]",
        )
    return table


def _rounded(value: Any) -> Any:
    """Four digits tell everything: files of later runs stay readable side by side."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
