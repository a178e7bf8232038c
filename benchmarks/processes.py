"""The processes under measurement, seen from outside: their CPU seconds and their memory."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

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
    """Seconds of processor time that a process has used so far; 0 is this one."""
    times = psutil.Process(pid or None).cpu_times()
    return float(times.user + times.system)


def tree_cpu_seconds(pid: int) -> float:
    """The same for a process with all that it has started, what has ended by now included."""
    root = psutil.Process(pid)
    ended = root.cpu_times()
    seconds = float(ended.children_user + ended.children_system)
    for process in (root, *root.children(recursive=True)):
        try:
            seconds += cpu_seconds(process.pid)
        except psutil.NoSuchProcess:
            continue
    return seconds


def peak_rss_bytes(pid: int) -> int:
    """The most memory that a process has held so far; where only Linux tells, what it holds now."""
    status = Path(f"/proc/{pid or os.getpid()}/status")
    if not status.exists():
        return rss_bytes(pid)
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def rss_bytes(pid: int) -> int:
    """Memory that a process holds."""
    return int(psutil.Process(pid or None).memory_info().rss)


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
