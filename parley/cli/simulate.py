"""`parley simulate`: made-up conversations through the gateway, and what becomes of them."""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from parley.cli.changing_line import ChangingLine
from parley.cli.output import say, stderr, stdout
from parley.cli.running import run
from parley.cli.wording import counted, readable_json
from parley.db import pool as database
from parley.errors import UserError
from parley.local import readiness, supervisor
from parley.settings import Settings
from parley.simulation.counts import Counts
from parley.simulation.plan import Plan
from parley.simulation.traffic import Traffic
from parley.simulation.verdicts import Progress, SegmentShown, first_segment, wait_for_verdicts

_GATEWAY = "gateway"
# What a conversation of people has: about two lines a second would be fast typing.
_MESSAGES_A_SECOND_EACH = 2.0
# Of a panel: its two sides with a blank each.
_FRAME_COLUMNS: Final = 4


def simulate(
    *,
    conversations: Annotated[int, typer.Option(min=1, help="Side by side.")] = 3,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, help="Messages a second, all together; 2 a conversation."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long; without it one short chat each.")
    ] = None,
    channel: Annotated[str, typer.Option(help="Its gap policy decides the segments.")] = "demo",
    late: Annotated[
        float, typer.Option(min=0, max=1, help="Share that is sent late, and so out of order.")
    ] = 0.0,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Share that is sent twice by the same id.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same traffic.")] = 0,
    gateway: Annotated[
        str | None, typer.Option(help="Its URL; without it the one that runs here.")
    ] = None,
    wait_for_verdicts: Annotated[
        bool, typer.Option("--wait-for-verdicts", help="Wait, and show a segment's verdicts.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the verdicts.")
    ] = 120.0,
) -> None:
    """Let made-up conversations flow in through the gateway's WebSocket.

    Try:

        parley simulate --wait-for-verdicts

        parley simulate --conversations 200 --rate 500 --seconds 60 --late 0.05 --duplicates 0.02
    """
    settings = Settings.load()
    url = _checked(gateway) if gateway is not None else _gateway_url(settings)
    if not readiness.is_ready(url):
        raise UserError(
            f"No gateway is ready at {url}.",
            "Start one with `make run` or `parley local up`, or name it with --gateway.",
        )
    messages_a_second = rate or _MESSAGES_A_SECOND_EACH * conversations
    plan = Plan(conversations, messages_a_second, seconds, late, duplicates, seed)
    traffic = Traffic(url, channel, plan)
    _talk(traffic)
    if wait_for_verdicts:
        shown = _wait(settings, traffic, timeout)
        if shown is not None:
            # Soft wrapping would cut the lines inside of a frame.
            stdout.print(_panel(shown, stdout.width), soft_wrap=False)


def _checked(gateway: str) -> str:
    try:
        parts = urlsplit(gateway)
        is_url = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise UserError(
            f"--gateway {gateway} is not understood.", "Write a URL such as http://127.0.0.1:8080."
        )
    return gateway


def _gateway_url(settings: Settings) -> str:
    record = supervisor.running(settings.state_dir) or {}
    known = record.get("services", {}).get(_GATEWAY, {})
    return str(known.get("url") or f"http://127.0.0.1:{settings.http_port}")


def _talk(traffic: Traffic) -> None:
    with ChangingLine(stderr) as line:

        def report(counts: Counts) -> None:
            line.show(counts.line())

        run(traffic.run(report))
    counts = traffic.counts
    if counts.refused:
        raise UserError(
            f"{counted(counts.refused, 'message')} refused; the last: {counts.last_refusal}.",
            "See `parley local logs gateway`.",
        )


def _wait(settings: Settings, traffic: Traffic, timeout_s: float) -> SegmentShown | None:
    message_counts = traffic.message_counts()

    async def wait() -> SegmentShown | None:
        pool = await database.connect(settings, max_size=1)
        try:
            with ChangingLine(stderr) as line:

                def report(progress: Progress) -> None:
                    line.show(_progress_line(progress))

                await wait_for_verdicts(pool, message_counts, timeout_s, report)
            return await first_segment(pool, list(message_counts))
        finally:
            await pool.close()

    try:
        return run(wait())
    except KeyboardInterrupt:
        say("Not waiting any more; the services go on.")
        raise


def _progress_line(progress: Progress) -> str:
    return (
        f"waiting until they have been quiet: sealed {progress.sealed} of "
        f"{progress.conversations}, analysed {progress.analysed}, verdicts {progress.verdicts}"
    )


def _panel(shown: SegmentShown, columns: int) -> Panel:
    facts = shown.facts
    summary = (
        f"{counted(facts['message_count'], 'message')} from {facts['started_at']:%H:%M:%S} to "
        f"{facts['ended_at']:%H:%M:%S} UTC, sealed: {facts['cause']}, "
        f"revision {facts['revision']}"
    )
    parts: list[Any] = [Text(summary, style="dim"), Text(), _talk_of(shown)]
    for name, output in shown.verdicts:
        json = readable_json(output, columns - _FRAME_COLUMNS)
        parts += [Text(), Text(name, style="bold green"), Text(json, overflow="fold")]
    title = f"a segment of conversation {facts['conversation_id']}"
    return Panel(Group(*parts), title=escape(title), title_align="left")


def _talk_of(shown: SegmentShown) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for role, content in shown.lines:
        table.add_row(role, Text(content))
    return table
