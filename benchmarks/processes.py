"""The processes under measurement, seen from outside: their CPU seconds and their memory."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import orjson
import psutil

from benchmarks.load import Findings, Plan
from tests.support.processes import ROOT


class LoadFailed(Exception):
    """The generator ended without findings; what it said is the reason."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the load generator, and what it cost whom."""

    findings: Findings
    cpu_seconds_per_100_000: dict[str, float]
    """By process: the server, the generator, the broker."""
    rss_bytes: int
    """The server's memory at the end of the measured time."""


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process has used so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def rss_bytes(pid: int) -> int:
    """Memory that a process holds."""
    return int(psutil.Process(pid).memory_info().rss)


def run_load(plan: Plan, server_pid: int, others: Mapping[str, int]) -> Run:
    """Run the generator against a server; raises LoadFailed."""
    with _generator(plan) as generator:
        pids = {"server": server_pid, "generator": generator.pid, **others}
        _expect(generator, b"measuring")
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        _expect(generator, b"measured")
        used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
        rss = rss_bytes(server_pid)
        findings = Findings(**orjson.loads(_next_line(generator)))
    share = 100_000 / max(1, findings.answers)
    return Run(findings, {name: seconds * share for name, seconds in used.items()}, rss)


@contextmanager
def _generator(plan: Plan) -> Iterator["subprocess.Popen[bytes]"]:
    arguments = [sys.executable, "-m", "benchmarks.load", orjson.dumps(asdict(plan)).decode()]
    generator = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield generator
        generator.wait(30)
    finally:
        if generator.poll() is None:
            generator.kill()
        generator.communicate()


def _expect(generator: "subprocess.Popen[bytes]", line: bytes) -> None:
    if (said := _next_line(generator)) != line:
        raise LoadFailed(f"{said!r} instead of {line!r}")


def _next_line(generator: "subprocess.Popen[bytes]") -> bytes:
    if generator.stdout is None or generator.stderr is None:
        raise LoadFailed("the generator was started without pipes")
    line = generator.stdout.readline().strip()
    if not line:
        raise LoadFailed(generator.stderr.read()[-2_000:].decode())
    return line
