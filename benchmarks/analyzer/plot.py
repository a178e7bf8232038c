"""One page of plots of the analyzer and its peer."""

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.analyzer.report import (
    BARE,
    BARE_OPENAI,
    WANTED_JOBS,
    WANTED_SEGMENTS,
    AnalyzerReport,
)
from benchmarks.plots import BROKER, ECHO, PARLEY, WANTED
from benchmarks.results import stem

COSTS: Final = (
    ("cpu_seconds", "the process", PARLEY),
    ("broker_cpu_seconds", "Kafka", BROKER),
    ("postgres_cpu_seconds", "PostgreSQL", ECHO),
)
PEERS: Final = (BARE, BARE_OPENAI)


def draw(report: AnalyzerReport, surroundings: dict[str, Any]) -> Path:
    """Draw the page; returns the file."""
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left"})
    figure, ((rates, costs), (latencies, enqueuing)) = plt.subplots(
        2, 2, figsize=(14, 8), constrained_layout=True
    )
    where = surroundings["machine"]
    figure.suptitle(
        f"Parley's analyzer at {surroundings['commit']}: "
        f"{where['cores']} cores, {where['processor']}"
    )
    _draw_rates(rates, report)
    _draw_costs(costs, report)
    _draw_latencies(latencies, report)
    _draw_enqueuing(enqueuing, report)
    path = stem(surroundings, "analyzer").with_suffix(".png")
    figure.savefig(path, dpi=80)
    plt.close(figure)
    return path


def _draw_rates(axes: Any, report: AnalyzerReport) -> None:
    axes.set_title("Jobs, or calls, per second (dots: runs; red: what is wanted)")
    for place, one in enumerate(report.series):
        colour = ECHO if one.name in PEERS else PARLEY
        axes.bar(place, one.median("jobs_per_second"), 0.6, color=colour)
        values = [run.jobs_per_second for run in one.runs]
        axes.plot([place] * len(values), values, ".", color="black")
    axes.axhline(WANTED_JOBS, color=WANTED, linewidth=1)
    axes.set_xticks(range(len(report.series)), [one.name for one in report.series])


def _draw_costs(axes: Any, report: AnalyzerReport) -> None:
    axes.set_title("CPU seconds per 1,000")
    names = [one.name for one in report.series]
    before = [0.0] * len(names)
    for field, label, colour in COSTS:
        values = [
            0.0 if one.name in PEERS and field != "cpu_seconds" else one.median(field)
            for one in report.series
        ]
        axes.barh(names, values, left=before, color=colour, label=label)
        before = [a + b for a, b in zip(before, values, strict=True)]
    axes.invert_yaxis()
    axes.legend()


def _draw_latencies(axes: Any, report: AnalyzerReport) -> None:
    axes.set_title("Milliseconds from a live segment's seal to its verdict (dots: runs)")
    fields = ("p50_s", "p95_s", "p99_s")
    for shift, one, colour in zip((-0.2, 0.2), report.latencies(), (ECHO, PARLEY), strict=False):
        places = [place + shift for place in range(len(fields))]
        heights = [1_000 * one.median(field) for field in fields]
        axes.bar(places, heights, 0.36, color=colour, label=one.name)
        for place, field in zip(places, fields, strict=True):
            values = [1_000 * getattr(run, field) for run in one.runs]
            axes.plot([place] * len(values), values, ".", color="black")
    axes.set_xticks(range(len(fields)), ["p50", "p95", "p99"])
    if report.backfill is not None:
        axes.legend()


def _draw_enqueuing(axes: Any, report: AnalyzerReport) -> None:
    axes.set_title("A backfill's segments into jobs, per second, by run")
    one = report.enqueuing()
    if one is None:
        return
    values = [run.segments_per_second for run in one.runs]
    axes.bar(range(len(values)), values, 0.6, color=PARLEY)
    axes.axhline(WANTED_SEGMENTS, color=WANTED, linewidth=1)
    axes.set_xticks(range(len(values)), [f"run {number + 1}" for number in range(len(values))])
