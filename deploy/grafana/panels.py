"""What a dashboard is made of: panels over queries, in the few shapes that ours need."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableHide,
)

TAG: Final = "parley"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
# A dashboard is 24 wide.
STAT_WIDTH: Final = 6
STAT_HEIGHT: Final = 4
GRAPH_WIDTH: Final = 12
GRAPH_HEIGHT: Final = 8
# Less than anything that is counted.
SMALLEST: Final = 0.001


class Unit(StrEnum):
    """Grafana's names of units."""

    SECONDS = "s"
    BYTES = "bytes"
    RATIO = "percentunit"
    COUNT = "short"
    PER_SECOND = "ops"
    DOLLARS = "currencyUSD"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and what its series are called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `description` says what is good and what is bad.

    One number is red above `bad_above`, or below `bad_below`. `rare` is why a healthy product
    under traffic may have nothing to show here.
    """

    title: str
    unit: Unit
    description: str
    queries: Sequence[Query]
    is_stat: bool = False
    bad_above: float | None = None
    bad_below: float | None = None
    is_stacked: bool = False
    rare: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; its uid is in its address."""

    uid: str
    title: str
    description: str
    panels: Sequence[Panel]


def rate(metric: str, by: str = "", where: str = "") -> str:
    """How often a second something happens; 0 where it never did."""
    matchers = f"{{{where}}}" if where else ""
    grouped = f"sum by ({by}) " if by else "sum"
    never = f'label_replace(vector(0), "{by}", "none", "", "")' if by else "vector(0)"
    # Of what stands after `or on()` nothing is taken where there is anything before it.
    return f"{grouped}(rate({metric}{matchers}[$__rate_interval])) or on() {never}"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """What so large a share of what was measured lies below."""
    matchers = f"{{{where}}}" if where else ""
    groups = f"le, {by}" if by else "le"
    return (
        f"histogram_quantile({share}, "
        f"sum by ({groups}) (rate({histogram}_bucket{matchers}[$__rate_interval])))"
    )


def mean(histogram: str, by: str, where: str = "") -> str:
    """The mean of what was measured."""
    matchers = f"{{{where}}}" if where else ""
    return (
        f"sum by ({by}) (rate({histogram}_sum{matchers}[$__rate_interval])) "
        f"/ sum by ({by}) (rate({histogram}_count{matchers}[$__rate_interval]))"
    )


def process_panels(service: str) -> Sequence[Panel]:
    """How the processes of a service fare."""
    where = f'service="{service}"'
    return (
        Panel(
            "Event loop",
            Unit.SECONDS,
            "How late tasks are woken up. Above 0.1 s everybody waits: give the service more "
            "processes.",
            [
                Query(
                    quantile(0.99, "parley_event_loop_lag_seconds", "instance", where),
                    "{{instance}}",
                )
            ],
        ),
        Panel(
            "Processor",
            Unit.RATIO,
            "Share of one processor. A process uses one at most.",
            [
                Query(
                    f"rate(process_cpu_seconds_total{{{where}}}[$__rate_interval])", "{{instance}}"
                )
            ],
        ),
        Panel(
            "Memory",
            Unit.BYTES,
            "Resident memory. It must not grow for days.",
            [Query(f"process_resident_memory_bytes{{{where}}}", "{{instance}}")],
        ),
    )


def build(board: Board) -> dashboard.Dashboard:
    """The board as the SDK's own dashboard."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        # They are provisioned: what is changed in the browser cannot be saved.
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource")
            .label("Data source")
            .type("prometheus")
            .hide(VariableHide.DONT_HIDE)
        )
        .link(
            dashboard.DashboardLink("Parley")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
        )
    )
    for number, panel in enumerate(board.panels, 1):
        shape = _stat(panel) if panel.is_stat else _graph(panel)
        made = made.with_panel(shape.id(number))
    return made


def _stat(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .no_value("no traffic")
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(panel))
        .span(STAT_WIDTH)
        .height(STAT_HEIGHT)
    )
    return made.targets([_target(panel, number) for number in range(len(panel.queries))])


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [Threshold(color="green", value=None)]
    if panel.bad_above is not None:
        # A threshold is the first value of its colour.
        steps.append(Threshold(color="red", value=panel.bad_above + SMALLEST))
    if panel.bad_below is not None:
        steps = [
            Threshold(color="red", value=None),
            Threshold(color="green", value=panel.bad_below),
        ]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _graph(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .min(0)
        .line_width(1)
        .fill_opacity(30 if panel.is_stacked else 5)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
        .span(GRAPH_WIDTH)
        .height(GRAPH_HEIGHT)
    )
    if panel.is_stacked:
        made = made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    return made.targets([_target(panel, number) for number in range(len(panel.queries))])


def _target(panel: Panel, number: int) -> prometheus.Dataquery:
    query = panel.queries[number]
    return (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .ref_id(chr(ord("A") + number))
        .expr(query.expr)
        .legend_format(query.legend)
        .range()
    )
