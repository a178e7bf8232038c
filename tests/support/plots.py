"""Draws the queries of a dashboard's panels, where nobody has a Grafana to look at."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import matplotlib

from deploy.grafana.build import path_of
from deploy.grafana.panels import Board
from tests.support.prometheus import Prometheus

matplotlib.use("agg")
from matplotlib import pyplot as plt

COLUMNS: Final = 3
MOST_SERIES: Final = 8


def draw(
    board: Board, prometheus: Prometheus, rate_interval: str, stretch: tuple[float, float], to: Path
) -> Path:
    """Draw every panel of a board over a stretch of time (Unix seconds); returns the PNG's path."""
    panels = json.loads(path_of(board).read_text())["panels"]
    rows = -(-len(panels) // COLUMNS)
    figure, grid = plt.subplots(
        rows, COLUMNS, figsize=(18, 3 * rows), squeeze=False, layout="constrained"
    )
    for axes, panel in zip(grid.flat, panels, strict=False):
        unit = panel["fieldConfig"]["defaults"].get("unit", "")
        axes.set_title(f"{panel['title']} [{unit}]", fontsize=9)
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", rate_interval)
            for series in prometheus.series(query, *stretch)[:MOST_SERIES]:
                _plot(axes, series, target["legendFormat"])
        if axes.lines:
            axes.legend(fontsize=6)
        axes.tick_params(labelsize=6)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(board.title)
    path = to / f"{board.uid}.png"
    figure.savefig(path, dpi=70)
    plt.close(figure)
    return path


def _plot(axes: Any, series: dict[str, Any], legend: str) -> None:
    times = [datetime.fromtimestamp(at, UTC) for at, _ in series["values"]]
    values = [float(value) for _, value in series["values"]]
    for name, value in series["metric"].items():
        legend = legend.replace("{{" + name + "}}", value)
    axes.plot(times, values, marker=".", markersize=2, linewidth=1, label=legend)
