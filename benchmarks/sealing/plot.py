"""One page of plots of the sealer and its peers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.plots import BROKER, ECHO, PARLEY, WANTED
from benchmarks.results import RunSeries, stem
from benchmarks.sealing import kafka_streams, parley_sealer
from benchmarks.sealing.report import WANTED_TIMES_STREAMS, SealingReport

COSTS: Final = (
    ("busy_cpu_seconds", "the process", PARLEY),
    ("broker_cpu_seconds", "Kafka", BROKER),
    ("postgres_cpu_seconds", "PostgreSQL", ECHO),
)


def draw(report: SealingReport, surroundings: dict[str, Any]) -> Path:
    """Draw the page; returns the file."""
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left"})
    figure, (rates, costs, memory) = plt.subplots(1, 3, figsize=(14, 4), constrained_layout=True)
    where = surroundings["machine"]
    figure.suptitle(
        f"Parley's sealer at {surroundings['commit']}: {where['cores']} cores, {where['processor']}"
    )
    _draw_rates(rates, report)
    _draw_costs(costs, report.series)
    _draw_memory(memory, report.series)
    path = stem(surroundings, "sealing").with_suffix(".png")
    figure.savefig(path, dpi=80)
    plt.close(figure)
    return path


def _draw_rates(axes: Any, report: SealingReport) -> None:
    axes.set_title("Events per second (dots: runs; red: what is wanted)")
    for place, one in enumerate(report.series):
        colour = PARLEY if one.name == parley_sealer.NAME else ECHO
        axes.bar(place, one.median("events_per_second"), 0.6, color=colour)
        values = [run.events_per_second for run in one.runs]
        axes.plot([place] * len(values), values, ".", color="black")
    streams = report.find(kafka_streams.NAME)
    if streams is not None:
        wanted = streams.median("events_per_second") * WANTED_TIMES_STREAMS
        axes.axhline(wanted, color=WANTED, linewidth=1)
    axes.set_xticks(range(len(report.series)), [one.name for one in report.series])


def _draw_costs(axes: Any, series: Sequence[RunSeries]) -> None:
    axes.set_title("CPU seconds per 100,000 events, without the start")
    names = [one.name for one in series]
    before = [0.0] * len(names)
    for field, label, colour in COSTS:
        values = [one.median(field) for one in series]
        axes.barh(names, values, left=before, color=colour, label=label)
        before = [a + b for a, b in zip(before, values, strict=True)]
    axes.invert_yaxis()
    axes.legend()


def _draw_memory(axes: Any, series: Sequence[RunSeries]) -> None:
    axes.set_title("Peak memory of the process, MB")
    values = [one.median("peak_rss_bytes") / 1e6 for one in series]
    axes.barh([one.name for one in series], values, color=PARLEY)
    axes.invert_yaxis()
