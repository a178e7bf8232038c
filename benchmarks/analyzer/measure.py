"""Measures the analyzer and its peer in turns, on one machine, with one provider."""

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import orjson

from benchmarks.analyzer import asking, backfill, jobs
from benchmarks.analyzer.asking import ClientRun
from benchmarks.analyzer.backfill import BackfillFindings
from benchmarks.analyzer.jobs import JobsRun
from benchmarks.analyzer.passes import CALLS, CODE, PROMPT, asks
from benchmarks.analyzer.report import BARE, BARE_OPENAI, CODE_JOBS, PROMPT_JOBS, AnalyzerReport
from benchmarks.processes import LoadFailed
from benchmarks.results import RunSeries
from benchmarks.sealing.runs import Servers
from parley import clock
from parley.passes.definition import PassDefinition
from parley.settings import Settings
from tests.support.processes import ROOT, free_port

START_S: Final = 10.0
TIMEOUT_S: Final = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is, how often each is measured, and with how much.

    `database` gives topics and tables that nobody else has used.
    """

    database: Callable[[], AbstractContextManager[Settings]]
    servers: Servers
    runs: int
    job_count: int
    segment_count: int


def measure(place: Place, say: Say) -> AnalyzerReport:
    """Everything, `runs` times each; raises LoadFailed."""
    found: dict[str, list[ClientRun | JobsRun]] = defaultdict(list)
    with _provider() as port:
        for number in range(place.runs):
            for name, one in _all(place, port):
                say(f"run {number + 1} of {place.runs}: {name}")
                found[name].append(one())
    series = tuple(RunSeries(name, tuple(runs)) for name, runs in found.items())
    return AnalyzerReport(series, _backfill(place, say), place.job_count, place.segment_count)


def _all(place: Place, port: int) -> Iterator[tuple[str, Callable[[], ClientRun | JobsRun]]]:
    yield BARE, lambda: _ask(place, port, asking.HTTP)
    yield BARE_OPENAI, lambda: _ask(place, port, asking.OPENAI)
    yield PROMPT_JOBS, lambda: _run_prompts(place, port)
    yield CODE_JOBS, lambda: _run(place, CODE, {})


def _run_prompts(place: Place, port: int) -> JobsRun:
    before = jobs.answer_count(port)
    found = _run(place, PROMPT, asks(_url(port)))
    answers = jobs.answer_count(port) - before
    if answers != place.job_count:
        raise LoadFailed(f"{answers:,} calls for {place.job_count:,} jobs")
    return found


def _run(place: Place, definition: PassDefinition, variables: dict[str, str]) -> JobsRun:
    with place.database() as settings:
        return asyncio.run(
            jobs.run(settings, place.servers, definition, place.job_count, variables)
        )


def _backfill(place: Place, say: Say) -> BackfillFindings | None:
    if not place.segment_count:
        return None
    with place.database() as settings:
        measured = backfill.run(settings, place.servers, place.segment_count, place.runs, say)
        return asyncio.run(measured)


def _ask(place: Place, port: int, client: str) -> ClientRun:
    """As many calls at once as the analyzer makes."""
    words = (_url(port), client, str(place.job_count), str(CALLS))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.analyzer.asking", *words],
        cwd=ROOT,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise LoadFailed(done.stderr[-2_000:].decode())
    return ClientRun(**orjson.loads(done.stdout))


@contextmanager
def _provider() -> Iterator[int]:
    """The provider's port, while it runs."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.analyzer.provider", str(port)], cwd=ROOT
    )
    try:
        _until_it_answers(process, port)
        yield port
    finally:
        process.kill()
        process.wait()


def _until_it_answers(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline_s = clock.monotonic() + START_S
    while process.poll() is None:
        try:
            jobs.answer_count(port)
        except OSError as error:
            if clock.monotonic() > deadline_s:
                raise LoadFailed("the provider does not answer") from error
        else:
            return
    raise LoadFailed("the provider has ended")


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"
