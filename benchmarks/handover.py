"""Runs the Tracker's benchmark in a process of its own, against a gateway of its own."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import orjson

from benchmarks.gateway import running_gateway
from benchmarks.processes import LoadFailed
from benchmarks.results import Target
from parley.settings import Settings
from tests.support.processes import ROOT


def measure(settings: Settings, calls: int) -> dict[str, Any]:
    """What `benchmarks.tracker` found, as it tells it; raises LoadFailed."""
    with running_gateway(settings) as gateway:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.tracker", gateway.url, "--calls", str(calls)],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
    try:
        found: dict[str, Any] = orjson.loads(done.stdout)
    except orjson.JSONDecodeError as error:
        raise LoadFailed(done.stderr[-2_000:].decode()) from error
    return found


def targets(found: Mapping[str, Any]) -> tuple[Target, ...]:
    """How long a caller waits, against what it was promised."""
    return tuple(
        Target(
            f"Tracker.{figures['name']} p99, {pace}",
            "µs",
            figures["p99_us"],
            figures["goal_p99_us"],
            is_at_least=False,
        )
        for pace, one in found.items()
        for figures in one["figures"]
    )
