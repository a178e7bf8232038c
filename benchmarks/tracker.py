"""Measures what handing a message over costs its caller, while the tracker's thread really sends.

Run as `python -m benchmarks.tracker http://127.0.0.1:8080`: JSON on stdout, a table on stderr.
"""

import json
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from parley.client import Stats, Tracker
from parley.ids import random_id

TEXT: Final = "x" * 400
MESSAGE_GOAL_US: Final = 200.0
SESSION_GOAL_US: Final = 10_000.0
FLUSH_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Figures:
    """How long calls took, in microseconds; `seconds` from the first to the last."""

    name: str
    goal_p99_us: float
    calls: int
    seconds: float
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return self.p99_us <= self.goal_p99_us


@dataclass(frozen=True, slots=True)
class Round:
    """One pace: the calls, and what became of the messages."""

    figures: tuple[Figures, ...]
    stats: Stats
    delivered_seconds: float
    cpu_seconds: float


def main(
    url: Annotated[str, typer.Argument(help="a running gateway")],
    calls: Annotated[int, typer.Option(min=100, help="messages in each round")] = 200_000,
    rate: Annotated[float, typer.Option(min=1, help="messages a second in the paced round")] = 2000,
    sessions: Annotated[int, typer.Option(min=1, help="conversations at the same time")] = 100,
    spool: Annotated[Path | None, typer.Option(help="measure with a spool in this folder")] = None,
) -> None:
    """Hand messages over at a pace, then as fast as it goes, and time every call."""
    paced = _measure(url, calls, sessions, spool, rate)
    fastest = _measure(url, calls, sessions, spool, None)
    rounds = {f"{rate:g}/s": paced, "full speed": fastest}
    _show(rounds)
    sys.stdout.write(json.dumps({name: asdict(one) for name, one in rounds.items()}) + "\n")
    if not all(one.is_met for round_ in rounds.values() for one in round_.figures):
        raise typer.Exit(1)


def _measure(url: str, calls: int, count: int, spool: Path | None, rate: float | None) -> Round:
    # At full speed nothing is to be refused: a refusal is cheaper than what is measured.
    capacity = 10_000 if rate else calls
    began_cpu_s, began_s = time.process_time(), time.perf_counter()
    tracker = Tracker(
        url, capacity=capacity, max_sessions=count, spool=spool, spool_bytes=1_000_000_000
    )
    with tracker:
        names = [f"bench-{random_id()}" for _ in range(count)]
        handles: list[str] = []
        starting = _time(
            "start_session",
            SESSION_GOAL_US,
            count,
            None,
            lambda one: handles.append(tracker.start_session(names[one])),
        )
        tracking = _time(
            "track_message",
            MESSAGE_GOAL_US,
            calls,
            rate,
            lambda one: tracker.track_message(handles[one % count], "user", TEXT),
        )
        ending = _time(
            "end_session",
            SESSION_GOAL_US,
            count,
            None,
            lambda one: tracker.end_session(handles[one]),
        )
        if not tracker.flush(FLUSH_S):
            raise SystemExit(f"not delivered in {FLUSH_S:g} s: {tracker.get_stats()}")
        stats = tracker.get_stats()
    delivered_s = time.perf_counter() - began_s
    return Round(
        (tracking, starting, ending), stats, delivered_s, time.process_time() - began_cpu_s
    )


def _time(
    name: str, goal_us: float, calls: int, rate: float | None, call: Callable[[int], object]
) -> Figures:
    took = array("q", bytes(8 * calls))
    began_ns = time.perf_counter_ns()
    for one in range(calls):
        if rate is not None:
            _sleep_until(began_ns + int(one * 1e9 / rate))
        before_ns = time.perf_counter_ns()
        call(one)
        took[one] = time.perf_counter_ns() - before_ns
    seconds = (time.perf_counter_ns() - began_ns) / 1e9
    in_order = sorted(took)

    def at(share: float) -> float:
        return in_order[min(calls - 1, int(share * calls))] / 1000

    return Figures(name, goal_us, calls, seconds, at(0.5), at(0.99), at(0.999), in_order[-1] / 1000)


def _sleep_until(due_ns: int) -> None:
    wait_ns = due_ns - time.perf_counter_ns()
    if wait_ns > 0:
        time.sleep(wait_ns / 1e9)


def _show(rounds: dict[str, Round]) -> None:
    table = Table("pace", "call", "calls", "p50 µs", "p99 µs", "p99.9 µs", "max µs", "p99 goal µs")
    for name, one in rounds.items():
        for figures in one.figures:
            verdict = "met" if figures.is_met else "MISSED"
            numbers = (figures.p50_us, figures.p99_us, figures.p999_us, figures.max_us)
            row = [f"{number:,.1f}" for number in numbers]
            goal = f"{figures.goal_p99_us:,.0f} {verdict}"
            table.add_row(name, figures.name, f"{figures.calls:,}", *row, goal)
    console = Console(stderr=True)
    console.print(table)
    for name, one in rounds.items():
        console.print(
            f"{name}: {one.stats.acknowledged:,} acknowledged in {one.delivered_seconds:.1f} s, "
            f"{one.stats.refused_overflow:,} refused, {one.cpu_seconds:.1f} s of CPU"
        )


if __name__ == "__main__":
    typer.run(main)
