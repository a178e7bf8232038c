"""`parley local`: the embedded Kafka and PostgreSQL, and the services on this machine."""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from parley.cli.output import Output, OutputOption, print_data, stdout, table_of
from parley.errors import UserError
from parley.local import environment, logs, readiness, services, session, supervisor
from parley.local.console import Console
from parley.local.session import Wish
from parley.local.stack import Stack
from parley.settings import DEFAULT_STATE_DIR, Settings, refuse_unknown

app = typer.Typer(
    help="Run Kafka, PostgreSQL and the services on this machine.", no_args_is_help=True
)

_INTERRUPTED = 130
_FOLLOW_SECONDS = 0.2

StateDir = Annotated[
    Path, typer.Option(envvar="PARLEY_STATE_DIR", help="Where data, ports and logs are kept.")
]


def _stack(state_dir: Path) -> Stack:
    return Stack(
        state_dir,
        kafka_bootstrap=environment.read("PARLEY_KAFKA_BOOTSTRAP"),
        database_url=environment.read("DATABASE_URL"),
    )


def _progress(sentence: str) -> None:
    try:
        typer.echo(sentence, err=True)
    except BrokenPipeError:
        # Ctrl-C ends `| tee` as well: what is being stopped must be stopped all the same. What
        # is still buffered goes nowhere, or its flush at the exit would fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once everything is ready.")
    ] = False,
    only_stack: Annotated[
        bool, typer.Option("--only-stack", help="Start Kafka and PostgreSQL alone, and return.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Let a few conversations flow in.")
    ] = False,
    replicas: Annotated[
        list[str] | None, typer.Option(metavar="NAME=N", help="Run a service N times.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Start everything, and stop it again at Ctrl-C."""
    # Before anything is downloaded or started.
    refuse_unknown(Settings)
    stack = _stack(state_dir)
    wish = Wish(services.parse_replicas(replicas or ()), demo)
    try:
        if only_stack:
            stack.up(_progress)
        elif detach:
            _detach(stack, replicas or [], demo)
        else:
            session.run(stack, wish, _progress)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def _detach(stack: Stack, replicas: list[str], demo: bool) -> None:
    arguments = ["--state-dir", str(stack.state_dir), *(["--demo"] if demo else [])]
    for entry in replicas:
        arguments += ["--replicas", entry]
    session.detach(stack, arguments, _progress)


@app.command()
def down(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Stop the services, Kafka and PostgreSQL; the data stays."""
    session.stop(_stack(state_dir))
    _progress("stopped")


@app.command()
def status(
    output: OutputOption = Output.TABLE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show what runs, where, and whether it is ready; exit status 1 when something is not."""
    rows = _rows(_stack(state_dir))
    if output is not Output.TABLE:
        print_data(output, rows)
    else:
        shown = [{**row, "state": _state(row)} for row in rows]
        stdout.print(table_of(shown, ("name", "state", "pid", "where", "restarts")))
    if not all(row["is_ready"] for row in rows):
        raise typer.Exit(1)


def _rows(stack: Stack) -> list[dict[str, Any]]:
    servers = [
        {
            "name": server.name,
            "is_ready": server.is_ready,
            "pid": server.pid,
            "where": server.address,
            "restarts": None,
        }
        for server in stack.status()
    ]
    record = supervisor.running(stack.state_dir) or {"services": {}}
    names = dict.fromkeys((*services.SERVICES, *record["services"]))
    return servers + [_service_row(name, record["services"].get(name, {})) for name in names]


def _service_row(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "is_ready": "pid" in facts and readiness.is_ready(facts["url"]),
        "pid": facts.get("pid"),
        "where": facts.get("url"),
        "restarts": facts.get("restarts"),
    }


def _state(row: dict[str, Any]) -> str:
    if row["is_ready"]:
        return "ready"
    return "stopped" if row["pid"] is None else "not ready"


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Stop what runs first.")] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Delete the data of the embedded Kafka and PostgreSQL; the downloaded jars stay."""
    stack = _stack(state_dir)
    is_running = any(row["pid"] is not None for row in _rows(stack))
    if is_running and not force:
        raise UserError(
            f"Parley is running in {stack.state_dir}.",
            "Stop it with `parley local down`, or add --force.",
        )
    if not yes:
        typer.confirm(f"Delete all conversations in {stack.state_dir}?", abort=True, err=True)
    session.stop(stack)
    stack.reset()
    _progress("deleted")


@app.command(name="logs")
def show_logs(
    service: Annotated[str | None, typer.Argument(help="One service; all without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    lines: Annotated[int, typer.Option("-n", min=0, help="Lines of each to begin with.")] = 50,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show what the services, Kafka and PostgreSQL wrote."""
    known = logs.names(state_dir)
    if service is not None and service not in known:
        raise UserError(
            f"There is no log of {service} in {state_dir}.",
            f"There is one of: {', '.join(known) or 'nothing yet'}.",
        )
    shown = [name for name in known if service in (name, None) and (service or name != logs.OF_UP)]
    console = Console(typer.get_text_stream("stdout"), shown)
    with ExitStack() as files:
        paths = {name: logs.path_of(state_dir, name) for name in shown}
        # Opened before the ends are read, so that no line falls in between.
        followers = {name: files.enter_context(logs.Follower(path)) for name, path in paths.items()}
        for name, path in paths.items():
            for line in logs.last_lines(path, lines):
                console.write(name, line)
        if follow:
            _follow(console, followers)


def _follow(console: Console, followers: dict[str, logs.Follower]) -> None:
    try:
        while True:
            _print_new(console, followers)
            time.sleep(_FOLLOW_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _print_new(console: Console, followers: dict[str, logs.Follower]) -> None:
    for name, follower in followers.items():
        for line in follower.new_lines():
            console.write(name, line)
