"""Brings the whole product up in the foreground or the background, and down again."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Final, NoReturn

from parley.errors import UserError
from parley.local import environment, logs, processes, services, supervisor
from parley.local.console import Console
from parley.local.processes import ProcessIdentity
from parley.local.service_process import describe_exit
from parley.local.stack import Endpoints, Stack
from parley.local.supervisor import Supervisor

_TOPICS: Final = ("topics", "apply")
_TABLES: Final = ("db", "upgrade")
_PASSES: Final = ("passes", "apply", "--shipped")
_DEMO: Final = "simulate --conversations 3 --channel demo --wait-for-verdicts"
# The supervisor gives its services 30 s, and each server of the stack has 30 s.
_DOWN_SECONDS: Final = 75.0
_DEMO_STOP_SECONDS: Final = 5.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked `up` for."""

    replicas: Mapping[str, int] = field(default_factory=lambda: services.parse_replicas(()))
    has_demo: bool = False


def run(stack: Stack, wish: Wish, progress: Progress) -> None:
    """Bring everything up, run it until a signal, and stop it again, the stack included.

    Raises UserError, with everything stopped, when it cannot come up; KeyboardInterrupt when
    a signal came before the services were started.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with supervisor.only_one(stack.state_dir):
        supervisor.kill_left_over(stack.state_dir)
        # First, since a taken port needs no download to be noticed.
        ports = services.choose_ports(services.process_names(wish.replicas), stack.state)
        try:
            endpoints = stack.up(progress)
            _prepare(endpoints, ports[services.GATEWAY], progress)
            _supervise(stack, endpoints, ports, wish)
        finally:
            progress("stopping Kafka and PostgreSQL")
            stack.down()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _prepare(endpoints: Endpoints, gateway_port: int, progress: Progress) -> None:
    """Create the topics, then apply the passes, and the tables meanwhile; what is there stays."""
    progress("applying topics, passes and migrations")
    env = services.environment_of(endpoints, gateway_port)
    children: dict[str, subprocess.Popen[bytes]] = {}

    def begin(words: tuple[str, ...]) -> None:
        command = environment.python_module("parley.cli", *words)
        children[" ".join(words)] = subprocess.Popen(command, env=env)

    try:
        begin(_TOPICS)
        begin(_TABLES)
        if children[" ".join(_TOPICS)].wait() == 0:
            begin(_PASSES)
        statuses = {words: child.wait() for words, child in children.items()}
    finally:
        for child in children.values():
            child.terminate()
            child.wait()
    for words, status in statuses.items():
        if status != 0:
            raise UserError(
                f"`parley {words}` {describe_exit(status)}.",
                "What it said is above. Correct that and start again.",
            )


def _supervise(stack: Stack, endpoints: Endpoints, ports: Mapping[str, int], wish: Wish) -> None:
    specs = services.specs(endpoints, ports)
    # So that commands and imports seal as the services do.
    stack.state.update(channel_policies=json.loads(services.channel_policies()))
    console = Console(sys.stdout, [spec.name for spec in specs])

    async def introduce() -> None:
        for line in welcome(ports):
            console.say(line)
        if wish.has_demo:
            await _demonstrate(services.environment_of(endpoints, ports[services.GATEWAY]), console)
            # The panel has pushed the addresses off the screen.
            console.say(f"talk to it at http://127.0.0.1:{ports[services.GATEWAY]}/")

    asyncio.run(Supervisor(specs, stack.state_dir, console).run(introduce))


def welcome(ports: Mapping[str, int]) -> list[str]:
    """Return what to say once all is ready: where things are, and what to try."""
    parley = environment.command_name()
    return [
        "ready",
        *(f"  {name:<12} http://127.0.0.1:{port}" for name, port in ports.items()),
        "each answers /health, and /metrics for Prometheus",
        "try, in another terminal:",
        f"  {parley} simulate --conversations 3 --channel demo",
        f"  {parley} tail events",
        f"  {parley} status",
        f"  {parley} local logs persister --follow",
        f"Ctrl-C, or `{parley} local down`, stops everything; the next start goes on from there",
    ]


async def _demonstrate(env: Mapping[str, str], console: Console) -> None:
    command = environment.python_module("parley.cli", *_DEMO.split())
    launcher = processes.launcher_command("--new-session")
    child = await asyncio.create_subprocess_exec(*launcher, *command, env=env)
    try:
        status = await child.wait()
    except asyncio.CancelledError:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), _DEMO_STOP_SECONDS)
        except TimeoutError:
            child.kill()
            await child.wait()
        raise
    if status != 0:
        console.say(f"the demonstration {describe_exit(status)}; the services go on")


def detach(stack: Stack, arguments: list[str], progress: Progress) -> None:
    """Start `parley local up` in the background, and return once it is ready.

    Raises UserError, with what it said, when it ends instead.
    """
    log = logs.path_of(stack.state_dir, logs.OF_UP)
    logs.rotate(log)
    log.touch()
    command = environment.python_module("parley.cli", "local", "up", *arguments)
    with logs.Follower(log) as said:
        process = processes.spawn_detached(command, environment.for_child(), log)
        while not _has_settled(stack, process):
            processes.wait_until(lambda: _has_settled(stack, process), 0.5)
            _pass_on(said, progress)
        _pass_on(said, progress)
    if not process.is_alive():
        raise UserError("Parley did not come up.", f"What it said is above and in {log}.")


def _pass_on(said: logs.Follower, progress: Progress) -> None:
    for line in said.new_lines():
        progress(line)


def _has_settled(stack: Stack, process: ProcessIdentity) -> bool:
    record = supervisor.running(stack.state_dir) or {}
    is_ready = record.get("pid") == process.pid and record["is_ready"]
    return is_ready or not process.is_alive()


def stop(stack: Stack) -> None:
    """Stop the services, wherever `up` runs, and then the stack; the data stays."""
    record = supervisor.running(stack.state_dir)
    identity = ProcessIdentity.from_record(record or {})
    if identity is not None:
        processes.stop(identity, signal.SIGTERM, _DOWN_SECONDS)
    supervisor.kill_left_over(stack.state_dir)
    supervisor.state_file(stack.state_dir).remove()
    stack.down()
