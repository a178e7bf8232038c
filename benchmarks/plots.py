"""One page of plots of a run."""

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.gateway import CONNECTIONS, WANTED_P99_MS, WANTED_SHARE
from benchmarks.results import Report, Target, stem

ECHO: Final = "#8a8f98"
PARLEY: Final = "#2f6fde"
BROKER: Final = "#e0a030"
WANTED: Final = "#c03030"
MOST_SHOWN: Final = 2.5


def draw(report: Report) -> Path:
    """Draw the page; returns the file."""
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left"})
    figure, ((rates, latencies), (costs, targets)) = plt.subplots(
        2, 2, figsize=(14, 8), constrained_layout=True
    )
    where = report.surroundings["machine"]
    figure.suptitle(
        f"Parley's gateway at {report.surroundings['commit']}: "
        f"{where['cores']} cores, {where['processor']}"
    )
    _draw_rates(rates, report)
    _draw_latencies(latencies, report)
    _draw_costs(costs, report)
    _draw_targets(targets, report.targets)
    path = stem(report.surroundings, "gateway").with_suffix(".png")
    figure.savefig(path, dpi=80)
    plt.close(figure)
    return path


def _draw_rates(axes: Any, report: Report) -> None:
    axes.set_title("Frames answered per second, one in flight per connection (dots: runs)")
    for place, connections in enumerate(CONNECTIONS):
        echo = report.find(f"echo, {connections} connections")
        acks = report.find(f"durable acks, {connections} connections")
        for shift, one, colour in ((-0.2, echo, ECHO), (0.2, acks, PARLEY)):
            label = one.name.partition(",")[0] if place == 0 else None
            axes.bar(place + shift, one.median("per_second"), 0.36, color=colour, label=label)
            values = [run.findings.per_second for run in one.runs]
            axes.plot([place + shift] * len(values), values, ".", color="black")
        wanted = echo.median("per_second") * WANTED_SHARE[connections] / 100
        axes.hlines(wanted, place, place + 0.4, color=WANTED)
    axes.set_xticks(range(len(CONNECTIONS)), [f"{one:,} connections" for one in CONNECTIONS])
    axes.legend()


def _draw_latencies(axes: Any, report: Report) -> None:
    axes.set_title("Milliseconds to a durable ack at 2,000/s, from the scheduled moment")
    fields = ("p50_ms", "p90_ms", "p99_ms", "worst_ms")
    for shift, connections in zip((-0.2, 0.2), CONNECTIONS, strict=True):
        one = report.find(f"2,000/s, {connections} connections")
        heights = [one.median(field) for field in fields]
        places = [place + shift for place in range(len(fields))]
        axes.bar(places, heights, 0.36, label=f"{connections:,} connections")
    axes.axhline(WANTED_P99_MS, color=WANTED, linewidth=1)
    axes.set_yscale("log")
    axes.set_xticks(range(len(fields)), ["p50", "p90", "p99", "worst"])
    axes.legend()


def _draw_costs(axes: Any, report: Report) -> None:
    axes.set_title("CPU seconds per 100,000 frames")
    names = [one.name for one in report.series]
    before = [0.0] * len(names)
    for process, colour in (("server", PARLEY), ("generator", ECHO), ("broker", BROKER)):
        values = [one.cpu(process) for one in report.series]
        axes.barh(names, values, left=before, color=colour, label=process)
        before = [a + b for a, b in zip(before, values, strict=True)]
    axes.invert_yaxis()
    axes.legend()


def _draw_targets(axes: Any, targets: tuple[Target, ...]) -> None:
    axes.set_title("Found, as a share of what is wanted (red line)")
    names = [one.name.replace(", ", ",\n", 1) for one in targets]
    colours = [PARLEY if one.is_met else WANTED for one in targets]
    axes.barh(names, [one.value / one.limit for one in targets], color=colours)
    for place, one in enumerate(targets):
        sign = "≥" if one.is_at_least else "≤"
        axes.text(0.02, place, f"{one.value:.1f} {one.unit} ({sign} {one.limit:g})", va="center")
    axes.axvline(1.0, color=WANTED, linewidth=1)
    axes.set_xlim(0, MOST_SHOWN)
    axes.invert_yaxis()
