"""`parley top`: who talks now, and how much, on a live screen."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from parley.activity.figures import Activity, ActivityState
from parley.activity.reading import read_activity
from parley.cli.activity_table import Sorting, View, as_data, rendered
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, stdout
from parley.cli.running import run
from parley.errors import UserError
from parley.settings import Settings

# A worker measures as often.
REFRESH_S: Final = 2.0


class Window(StrEnum):
    """By which window it is sorted."""

    ONE = "1"
    FIVE = "5"
    FIFTEEN = "15"

    @property
    def length(self) -> timedelta:
        """As the figures name it."""
        return timedelta(minutes=int(self.value))


def top(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    sort: Annotated[Sorting, typer.Option(help="What comes first.")] = Sorting.MESSAGES,
    window: Annotated[Window, typer.Option(help="Minutes of the window to sort by.")] = Window.ONE,
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show messages, active conversations and words of the last 1, 5 and 15 minutes, by channel.

    A live screen until Ctrl-C; printed once where the output is no terminal. Exit status 1 when
    no activity worker runs.

    Try:

        parley top --sort conversations --window 5

        parley top --once --tenant acme

        parley top --json
    """
    settings = Settings.load()
    form = Output.JSON if as_json else output
    try:
        if form is Output.TABLE and stdout.is_terminal and not once:
            run(_watch(settings, tenant, sort, window.length))
        else:
            show(run(_look(settings, tenant)), form, sort, window.length)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _look(settings: Settings, tenant: str | None) -> Activity:
    async with connection_pool(settings) as pool:
        return await read_activity(pool, tenant)


def show(activity: Activity, form: Output, sort: Sorting, window: timedelta) -> None:
    """Print it once; raises UserError where there is no worker, after the data."""
    view = View(sort, window, stdout.width)
    is_measured = activity.state is not ActivityState.NO_WORKER
    if form is not Output.TABLE:
        print_data(form, as_data(activity, view))
    elif is_measured:
        stdout.print(rendered(activity, view))
    if not is_measured:
        raise _no_worker()


async def _watch(settings: Settings, tenant: str | None, sort: Sorting, window: timedelta) -> None:
    console = Console(highlight=False)
    async with connection_pool(settings) as pool:
        activity = await read_activity(pool, tenant)
        if activity.state is ActivityState.NO_WORKER:
            raise _no_worker()
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                view = View(sort, window, console.width, console.height)
                live.update(rendered(activity, view), refresh=True)
                await asyncio.sleep(REFRESH_S)
                activity = await read_activity(pool, tenant)


def _no_worker() -> UserError:
    return UserError(
        "Nobody counts: no activity worker has measured for 15 seconds.",
        "Start one with the other services by `parley local up`, or alone by "
        "`python -m services.sealer.activity.main`; where one runs, `parley status` says what it "
        "lacks.",
    )
