"""`make bench`: one run on one machine, ratios on the screen, figures and plots in results/.

`make bench PART=gateway`, or `sink`, `sealing`, `rebuild`, `analyzer`, measures one part only.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import SecretStr
from rich.console import Console

from benchmarks import gateway, handover, machine, plots, results
from benchmarks.analyzer import measure as analyzer
from benchmarks.analyzer import plot as analyzer_plot
from benchmarks.analyzer import report as analyzer_report
from benchmarks.gateway import Effort
from benchmarks.rebuild import measure as rebuild
from benchmarks.rebuild import report as rebuild_report
from benchmarks.sealing import measure as sealing
from benchmarks.sealing import plot as sealing_plot
from benchmarks.sealing import report as sealing_report
from benchmarks.sealing.runs import Servers
from benchmarks.sink import measure as sink
from benchmarks.sink import report as sink_report
from parley.db import migrations
from parley.errors import UserError
from parley.ids import random_id
from parley.local.databases import create_database, drop_database
from parley.local.server import Server
from parley.local.stack import Stack
from parley.log.admin import apply_topics
from parley.settings import Settings
from tests.support.processes import ROOT

# Where nobody looks, as in a pipe, the tables need not be folded into 80 columns.
console = Console(width=None if sys.stdout.isatty() else 150)


class Part(StrEnum):
    """What can be measured by itself."""

    ALL = "all"
    GATEWAY = "gateway"
    SINK = "sink"
    SEALING = "sealing"
    REBUILD = "rebuild"
    ANALYZER = "analyzer"


class Amount(NamedTuple):
    """How many events are rebuilt, and how often."""

    events: int
    runs: int


def main(
    part: Annotated[Part, typer.Argument(help="what to measure")] = Part.ALL,
    *,
    runs: Annotated[int, typer.Option(min=1, help="how often each is measured")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="how long each is measured")] = 6.0,
    longest: Annotated[
        float,
        typer.Option(min=5, help="seconds after which a peer of the sealer is stopped"),
    ] = 120.0,
    state_dir: Annotated[
        Path | None, typer.Option(help="measure on the local stack of this folder")
    ] = None,
    tracker_calls: Annotated[
        int, typer.Option(min=0, help="messages handed to a Tracker in each round; 0: leave it out")
    ] = 200_000,
    events: Annotated[
        int, typer.Option(min=1_000, help="how many events a rebuild reads")
    ] = 1_000_000,
    jobs: Annotated[
        int, typer.Option(min=500, help="jobs of the analyzer in each of its runs")
    ] = 5_000,
    segments: Annotated[
        int, typer.Option(min=0, help="segments that are backfilled; 0: leave backfills out")
    ] = 100_000,
    keep: Annotated[bool, typer.Option(help="write files into benchmarks/results")] = True,
) -> None:
    """Measure the product against its peers and say which targets are met."""
    surroundings = machine.describe()
    machine.compile_code()
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        _stack(state_dir or Path(folder) / "stack", is_own=state_dir is None) as stack,
    ):
        if part in (Part.ALL, Part.GATEWAY):
            settings = _prepare(stack, Path(folder) / "logs")
            report = _measure_gateway(
                settings, stack, Effort(runs, seconds), tracker_calls, surroundings
            )
            results.show(report, console)
            if keep:
                _say(f"written: {results.save(report).relative_to(ROOT)}")
                _say(f"written: {plots.draw(report).relative_to(ROOT)}")
        if part in (Part.ALL, Part.SINK):
            _measure_sink(stack, Path(folder) / "logs", runs, surroundings, keep)
        if part in (Part.ALL, Part.SEALING):
            _measure_sealing(
                stack, Path(folder) / "logs", Effort(runs, longest), surroundings, keep
            )
        if part in (Part.ALL, Part.REBUILD):
            _measure_rebuild(stack, Path(folder) / "logs", Amount(events, runs), surroundings, keep)
        if part in (Part.ALL, Part.ANALYZER):
            place = analyzer.Place(
                partial(_own_database, stack, Path(folder) / "logs"),
                Servers(_pid(stack.kafka), _pid(stack.postgres)),
                *(runs, jobs, segments),
            )
            _measure_analyzer(place, surroundings, keep)


def _measure_gateway(
    settings: Settings,
    stack: Stack,
    effort: Effort,
    tracker_calls: int,
    surroundings: dict[str, Any],
) -> results.Report:
    series = gateway.measure(settings, _pid(stack.kafka), effort, _say)
    kb_per_connection = gateway.measure_memory(settings, _say)
    tracker = _measure_tracker(settings, tracker_calls)
    targets = gateway.targets(series, kb_per_connection) + handover.targets(tracker)
    return results.Report(surroundings, series, targets, tracker)


def _measure_sink(
    stack: Stack, log_dir: Path, runs: int, surroundings: dict[str, Any], keep: bool
) -> None:
    with _own_database(stack, log_dir) as settings:
        found = sink.measure(settings, _pid(stack.postgres), ROOT / ".parley", runs, _say)
    targets = sink_report.targets(found, sink.SIMPLE, sink.RAW_COPY)
    sink_report.show(found, console)
    results.show_targets(targets, console)
    if keep:
        content = sink_report.as_json(found)
        path = results.save_part("sink", surroundings, targets, content)
        _say(f"written: {path.relative_to(ROOT)}")


def _measure_sealing(
    stack: Stack, log_dir: Path, effort: Effort, surroundings: dict[str, Any], keep: bool
) -> None:
    servers = Servers(_pid(stack.kafka), _pid(stack.postgres))
    with _own_database(stack, log_dir) as settings:
        place = sealing.Place(settings, servers, ROOT / ".parley", effort.runs, effort.seconds)
        found = sealing.measure(place, _say)
    targets = sealing_report.targets(found)
    sealing_report.show(found, console)
    results.show_targets(targets, console)
    if keep:
        content = sealing_report.as_json(found)
        path = results.save_part("sealing", surroundings, targets, content)
        _say(f"written: {path.relative_to(ROOT)}")
        _say(f"written: {sealing_plot.draw(found, surroundings).relative_to(ROOT)}")


def _measure_rebuild(
    stack: Stack, log_dir: Path, amount: Amount, surroundings: dict[str, Any], keep: bool
) -> None:
    with _own_database(stack, log_dir) as settings:
        found = rebuild.measure(settings, _pid(stack.postgres), *amount, _say)
    targets = rebuild_report.targets(found)
    rebuild_report.show(found, console)
    results.show_targets(targets, console)
    if keep:
        content = rebuild_report.as_json(found)
        path = results.save_part("rebuild", surroundings, targets, content)
        _say(f"written: {path.relative_to(ROOT)}")


def _measure_analyzer(place: analyzer.Place, surroundings: dict[str, Any], keep: bool) -> None:
    found = analyzer.measure(place, _say)
    targets = analyzer_report.targets(found)
    analyzer_report.show(found, console)
    results.show_targets(targets, console)
    if keep:
        content = analyzer_report.as_json(found)
        path = results.save_part("analyzer", surroundings, targets, content)
        _say(f"written: {path.relative_to(ROOT)}")
        _say(f"written: {analyzer_plot.draw(found, surroundings).relative_to(ROOT)}")


@contextmanager
def _own_database(stack: Stack, log_dir: Path) -> Iterator[Settings]:
    """A database that is dropped afterwards, since its tables are emptied before each run."""
    name = f"bench_{random_id()[:8]}"
    try:
        yield _prepare(stack, log_dir, create_database(stack.endpoints(), name))
    finally:
        drop_database(stack.endpoints(), name)


@contextmanager
def _stack(state_dir: Path, is_own: bool) -> Iterator[Stack]:
    """A stack of this run's own, or the one that was named, which stays as it is."""
    stack = Stack(state_dir, cache_dir=ROOT / ".parley")
    try:
        stack.up(_say)
        yield stack
    finally:
        if is_own:
            stack.down()


def _prepare(stack: Stack, log_dir: Path, database_url: str | None = None) -> Settings:
    """Topics that nobody else uses, and tables."""
    endpoints = stack.endpoints()
    settings = Settings(
        kafka_bootstrap=endpoints.kafka_bootstrap,
        database_url=SecretStr(database_url or endpoints.database_url),
        topic_prefix=f"bench-{random_id()[:8]}.",
        state_dir=log_dir,
    )
    asyncio.run(apply_topics(settings))
    asyncio.run(migrations.upgrade(settings))
    return settings


def _measure_tracker(settings: Settings, calls: int) -> dict[str, Any]:
    if not calls:
        return {}
    _say(f"the tracker: {calls:,} messages in each round")
    return handover.measure(settings, calls)


def _pid(server: Server) -> int:
    if server.pid is None:
        raise UserError(f"The {server.program.name} of this stack does not run.")
    return server.pid


def _say(line: str) -> None:
    console.print(line, style="dim", highlight=False)


if __name__ == "__main__":
    typer.run(main)
