"""`parley backfill PASS…`: begin a run, and show how far it is."""

from typing import Annotated, Any

import typer

from parley import clock
from parley.backfilling import runs
from parley.backfilling.choosing import choose
from parley.backfilling.core import Filters
from parley.backfilling.dry_run import dry_run
from parley.backfilling.estimating import prompt_estimator
from parley.backfilling.request import (
    DEFAULT_CONCURRENCY,
    MICRO,
    MOST_CONCURRENCY,
    MOST_USD,
    BackfillRequest,
)
from parley.cli.backfill.findings import facts_of, print_dry_run
from parley.cli.backfill.watching import watch
from parley.cli.config_topic import who
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, say
from parley.cli.phase_progress import PhaseProgress
from parley.cli.running import run
from parley.cli.times import moment_of
from parley.cli.wording import counted
from parley.log.admin import topic_ends
from parley.passes.stored import stored_catalog
from parley.settings import Settings
from parley.topics import Topic


def start(
    passes: Annotated[
        list[str] | None,
        typer.Argument(metavar="PASS…", help="Passes by name; NAME@2 takes that version."),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All passes that are enabled, instead of some by name.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Only segments that end since then: a time, or 90m, 12h, 7d ago."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only segments that end before.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    conversation: Annotated[str | None, typer.Option(help="Only of this conversation.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many jobs, the oldest segments' first.")
    ] = None,
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="Begin with what was sealed last.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.001, max=100_000, help="At most so many jobs a second.")
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_CONCURRENCY, help="At most so many jobs that wait for a worker at once."
        ),
    ] = DEFAULT_CONCURRENCY,
    budget: Annotated[
        float | None,
        typer.Option(min=0.000001, max=MOST_USD, help="At most so many US dollars in all."),
    ] = None,
    from_segments: Annotated[
        bool,
        typer.Option(
            "--from-segments", help="Read the stored segments, where the log does not reach back."
        ),
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Only count what there is to do, and change nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Stay and show how far it is.")
    ] = True,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run passes over segments that were sealed before.

    The seals topic is replayed from its beginning to where it ends now. Each segment that stands,
    and has no verdict of the pass's version, gets a job; live jobs go before it. The analyzers do
    that: the run goes on when this command is interrupted, and `parley backfill show` watches it
    again. What is covered is left alone, so running it twice adds nothing.

    Exit status 1 where it was cancelled or stopped.

    Examples: parley backfill sentiment --dry-run

    parley backfill --all --since 7d

    parley backfill summary --newest-first --limit 1000 --rate 5 --budget 2.50
    """
    now = clock.now()
    filters = Filters(
        since=None if since is None else moment_of("--since", since, now),
        until=None if until is None else moment_of("--until", until, now),
        tenant_id=tenant,
        channel=channel,
        conversation_id=conversation,
    )
    wanted: dict[str, Any] = {
        "filters": filters,
        "limit": limit,
        "is_newest_first": newest_first,
        "is_from_segments": from_segments,
        "rate": rate,
        "concurrency": concurrency,
        "budget_micro_usd": None if budget is None else round(budget * MICRO),
    }
    settings, names = Settings.load(), passes or []
    if dry:
        run(_look(settings, names, wanted, output, every=every))
        return
    run_id = run(_begin(settings, names, wanted, every=every))
    say(f"Backfill {run_id} has begun.")
    if wait:
        watch(settings, run_id, output)
    elif output is not Output.TABLE:
        print_data(output, {"id": run_id})


async def _begin(
    settings: Settings, names: list[str], wanted: dict[str, Any], *, every: bool
) -> str:
    async with connection_pool(settings) as pool:
        chosen = choose(await stored_catalog(pool), names, takes_all=every)
        request = BackfillRequest(chosen, **wanted)
        request.check()
        await _warn_of_a_late_log(settings, request)
        return await runs.start(pool, request, who())


async def _look(
    settings: Settings,
    names: list[str],
    wanted: dict[str, Any],
    output: Output,
    *,
    every: bool,
) -> None:
    async with connection_pool(settings) as pool:
        catalog = await stored_catalog(pool)
        request = BackfillRequest(choose(catalog, names, takes_all=every), **wanted)
        await _warn_of_a_late_log(settings, request)
        async with prompt_estimator(catalog) as estimator:
            with PhaseProgress() as progress:
                found = await dry_run(settings, pool, request, catalog, progress, estimator)
    if output is Output.TABLE:
        print_dry_run(request, found, estimator.by_pass)
    else:
        print_data(output, facts_of(request, found, estimator.by_pass))


async def _warn_of_a_late_log(settings: Settings, request: BackfillRequest) -> None:
    """Say loudly that seals are missing, and what else there is."""
    if request.is_from_segments:
        return
    topic = settings.topic(Topic.SEALS)
    late = [one for one in await topic_ends(settings, topic) if one.beginning]
    if late:
        where = ", ".join(f"{one.partition} (from offset {one.beginning})" for one in late)
        gone = counted(sum(one.beginning for one in late), "record")
        say(
            f"WARNING: {topic} does not reach back to its beginning. {gone} are gone, in "
            f"partitions {where}: their segments are passed over. Give --from-segments to read "
            "the stored segments instead."
        )
