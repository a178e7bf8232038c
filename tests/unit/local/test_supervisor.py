"""Services are run, restarted, announced and stopped; the children are tiny Python programs."""

import asyncio
import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from parley.errors import WRONG_SETTINGS, UserError
from parley.local import environment, ports, processes, supervisor
from parley.local.console import Console
from parley.local.processes import ProcessIdentity
from parley.local.service_process import ServiceSpec, describe_exit, restart_delay_seconds
from parley.local.supervisor import Supervisor

_SERVER = """
import http.server, os, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *_): pass
if "--deaf" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready).serve_forever()
"""


def _spec(name: str = "gateway", code: str = _SERVER, *arguments: str) -> ServiceSpec:
    [port] = ports.choose([None])
    env = environment.for_child({"PORT": str(port)})
    return ServiceSpec(
        name, (sys.executable, "-c", code, *arguments), env, f"http://127.0.0.1:{port}"
    )


class _Run:
    """A supervisor that runs in the background of a test."""

    def __init__(self, state_dir: Path, *specs: ServiceSpec, **limits: float) -> None:
        self.state_dir = state_dir
        self.output = io.StringIO()
        console = Console(self.output, [spec.name for spec in specs])
        self.supervisor = Supervisor(specs, state_dir, console, **limits)

    async def until_ready(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run, do the work once all is ready, and stop."""

        async def when_ready() -> None:
            try:
                await work()
            finally:
                self.supervisor.stop()

        await self.supervisor.run(when_ready)

    def pid(self, name: str = "gateway") -> int | None:
        record = supervisor.state_file(self.state_dir).read()
        pid: int | None = record["services"][name].get("pid")
        return pid


async def _until(condition: Callable[[], bool], timeout_seconds: float = 10) -> None:
    assert await asyncio.to_thread(processes.wait_until, condition, timeout_seconds)


def test_the_delay_doubles_up_to_ten_seconds() -> None:
    delays = [restart_delay_seconds(None, lived_seconds=0)]
    while len(delays) < 7:
        delays.append(restart_delay_seconds(delays[-1], lived_seconds=1))
    assert delays == [0.5, 1, 2, 4, 8, 10, 10]


def test_the_delay_begins_anew_after_thirty_seconds_alive() -> None:
    assert restart_delay_seconds(10, lived_seconds=30) == 0.5


def test_an_exit_is_described_by_status_or_signal() -> None:
    assert describe_exit(3) == "exited with status 3"
    assert describe_exit(-9) == "was ended by SIGKILL"


async def test_what_runs_is_written_down_and_gone_after_the_stop(tmp_path: Path) -> None:
    run = _Run(tmp_path, _spec("gateway"), _spec("sealer"))
    seen: list[ProcessIdentity | None] = []

    async def look() -> None:
        record = supervisor.running(tmp_path)
        assert record is not None
        assert record["pid"] == os.getpid()
        assert record["is_ready"]
        assert list(record["services"]) == ["gateway", "sealer"]
        seen.extend(ProcessIdentity.of(known["pid"]) for known in record["services"].values())

    await run.until_ready(look)
    assert len(seen) == 2
    assert not any(identity is not None and identity.is_alive() for identity in seen)
    assert supervisor.running(tmp_path) is None


async def test_lines_go_to_the_terminal_with_a_name_and_to_the_log_without(tmp_path: Path) -> None:
    run = _Run(tmp_path, _spec())

    async def look() -> None:
        await _until(lambda: "gateway | serving\n" in run.output.getvalue())

    await run.until_ready(look)
    assert (tmp_path / "logs" / "gateway.log").read_text() == "serving\n"


async def test_a_killed_service_is_started_again_and_it_is_said_why(tmp_path: Path) -> None:
    run = _Run(tmp_path, _spec())

    async def kill() -> None:
        first = run.pid()
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await _until(lambda: run.pid() not in (first, None))

    await run.until_ready(kill)
    assert "gateway was ended by SIGKILL; starting it again in 0.5 s" in run.output.getvalue()


async def test_a_service_that_does_not_end_is_killed_after_the_limit(tmp_path: Path) -> None:
    run = _Run(tmp_path, _spec("gateway", _SERVER, "--deaf"), stop_seconds=0.3)
    await run.until_ready(lambda: asyncio.sleep(0))
    assert supervisor.running(tmp_path) is None


async def test_a_signal_stops_all_and_its_echo_is_not_a_second_one(tmp_path: Path) -> None:
    run = _Run(tmp_path, _spec())

    async def signal_twice() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    await run.supervisor.run(signal_twice)
    assert "killing" not in run.output.getvalue()


async def test_services_that_never_get_ready_end_the_run_with_their_names(tmp_path: Path) -> None:
    never = _spec("sealer", "import time; time.sleep(60)")
    run = _Run(tmp_path, _spec(), never, ready_seconds=1.5)
    with pytest.raises(UserError, match=r"Not ready after 1\.5 s: sealer\."):
        await run.until_ready(lambda: asyncio.sleep(0))


async def test_an_overlong_line_is_passed_on_in_bounded_pieces(tmp_path: Path) -> None:
    long = "print('x' * 200_000, flush=True)\n"
    run = _Run(tmp_path, _spec("gateway", long + _SERVER))

    async def look() -> None:
        await _until(lambda: "serving" in run.output.getvalue())

    await run.until_ready(look)
    longest = max(len(line) for line in run.output.getvalue().splitlines())
    assert longest < 140_000
    assert run.output.getvalue().count("x") == 200_000


def test_only_one_supervisor_has_a_state_folder(tmp_path: Path) -> None:
    with (
        supervisor.only_one(tmp_path),
        pytest.raises(UserError, match="already running"),
        supervisor.only_one(tmp_path),
    ):
        pass


_PARENT = """
import asyncio, sys
from pathlib import Path
from parley.local.console import Console
from parley.local.service_process import ServiceSpec
from parley.local.supervisor import Supervisor
command = (sys.executable, "-c", "import time; time.sleep(60)")
spec = ServiceSpec("child", command, {}, "http://127.0.0.1:9")
console = Console(sys.stdout, ["child"])
asyncio.run(Supervisor([spec], Path(sys.argv[1]), console).run(lambda: asyncio.sleep(0)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start kills them")
def test_services_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    command = [sys.executable, "-c", _PARENT, str(state_dir)]
    parent = processes.spawn_detached(command, environment.for_child(), tmp_path / "log")
    try:
        child = _wait_for_child(state_dir)
    finally:
        parent.send(signal.SIGKILL)
    assert child.wait(5)


def test_services_left_over_are_killed_at_the_next_start(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    left_over = processes.spawn_detached(command, environment.for_child(), tmp_path / "log")
    supervisor.state_file(tmp_path).write({"services": {"gateway": left_over.to_record()}})
    supervisor.kill_left_over(tmp_path)
    assert left_over.wait(5)


def _wait_for_child(state_dir: Path) -> ProcessIdentity:
    found: list[ProcessIdentity] = []

    def look() -> bool:
        services = supervisor.state_file(state_dir).read().get("services", {})
        identity = ProcessIdentity.from_record(services.get("child", {}))
        found.extend([] if identity is None else [identity])
        return bool(found)

    assert processes.wait_until(look, 10)
    return found[0]


async def test_a_service_whose_settings_are_wrong_stops_everything_at_once(tmp_path: Path) -> None:
    wrong = _spec("sealer", f"print('PARLEY_X is wrong'); raise SystemExit({WRONG_SETTINGS})")
    run = _Run(tmp_path, _spec(), wrong)

    async def nothing() -> None:
        raise AssertionError("not ready")

    async with asyncio.timeout(10):
        with pytest.raises(UserError, match="The sealer refuses a setting"):
            await run.supervisor.run(nothing)
    assert "PARLEY_X is wrong" in run.output.getvalue()
    assert "starting it again" not in run.output.getvalue()
    assert supervisor.running(tmp_path) is None
