"""`parley topics grow` and `parley topics repair`: a topic's next incarnation."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.phase_progress import PhaseProgress
from parley.cli.running import run
from parley.errors import UserError
from parley.incarnations.growing import Result, Wish, abort, grow
from parley.incarnations.repairing import Mended, repair
from parley.incarnations.situation import READ
from parley.local.state import StateFile
from parley.settings import Settings, local_stack_file
from parley.topics import Topic

TopicArgument = Annotated[
    str, typer.Argument(help=f"One of {', '.join(READ)}; `events` for short.", metavar="TOPIC")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]
StartOverOption = Annotated[
    bool,
    typer.Option("--start-over", help="Delete what an earlier run has copied, and copy it anew."),
]
PatienceOption = Annotated[
    float,
    typer.Option("--patience", min=0, help="Seconds for the services to read what they have not."),
]


def grow_topic(
    topic: TopicArgument,
    partitions: Annotated[
        int | None, typer.Option("--partitions", min=1, max=10_000, help="How many it gets.")
    ] = None,
    dry_run: DryRunOption = False,
    start_over: StartOverOption = False,
    patience: PatienceOption = 60.0,
    undo: Annotated[
        bool,
        typer.Option("--abort", help="Open the topic again, and delete what was copied of it."),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give a topic more partitions, by a copy that takes its place.

    Stop the gateways first; the persister, the sealer and the analyzer may run. Nothing is lost,
    doubled, or sealed anew: each record keeps its time and its first place. Killed at any moment,
    the same command goes on.

    Example: parley topics grow events --partitions 12
    """
    settings, kind = Settings.load(), _kind(topic)
    if undo:
        name = run(abort(settings, kind))
        say(f"{name} is open again; nothing else has changed.")
        return
    if partitions is None:
        raise UserError("How many partitions is the topic to have?", "Add --partitions N.")
    wish = Wish(is_dry_run=dry_run, starts_over=start_over, patience_s=patience)
    with PhaseProgress() as bars:
        result = run(grow(settings, kind, partitions, wish, bars))
    _print_grown(output, result)
    if not dry_run:
        _tell_name(settings, kind, result.source, result.topic)


def _print_grown(output: Output, result: Result) -> None:
    if not result.is_new:
        return
    rows = [{"partition": n, "records": count} for n, count in enumerate(result.records)]
    print_rows(output, rows, ("partition", "records"))
    total = sum(result.records)
    say(f"{result.source_records:,} records of {result.source} are {total:,} of {result.topic}.")


def repair_topic(
    topic: TopicArgument,
    dry_run: DryRunOption = False,
    start_over: StartOverOption = False,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Also where the sealer had read what no table has."),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give back to a topic what its broker has lost, from PostgreSQL.

    Stop the gateways first. What the log has left is copied, what the tables keep of the rest
    follows, and then what was written since. Killed at any moment, the same command goes on.

    Example: parley topics repair events --dry-run
    """
    settings, kind = Settings.load(), _kind(topic)
    wish = Wish(is_dry_run=dry_run, starts_over=start_over)
    with PhaseProgress() as bars:
        result = run(repair(settings, kind, wish, bars, accepts_loss=accept_loss))
    _print_mended(output, result.mended)
    if not result.mended and result.topic == result.source:
        say(f"{result.source} holds all that was read of it: there is nothing to repair.")
    elif not dry_run:
        _tell_name(settings, kind, result.source, result.topic)


def _print_mended(output: Output, mended: Sequence[Mended]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "partition": one.partition,
            "kept": one.kept,
            "restored": one.restored,
            "not_restored": one.gone,
            "unstored": one.unstored,
            "written_since": one.added,
        }
        for one in mended
    ]
    if rows:
        print_rows(
            output,
            rows,
            ("partition", "kept", "restored", "not_restored", "unstored", "written_since"),
        )
        say("Not restored are ticks and copies of known events: no table misses them.")


def _kind(text: str) -> Topic:
    for kind in READ:
        if text in (kind, kind.removeprefix("parley.").removesuffix(".v1")):
            return kind
    raise UserError(
        f"{text} has no incarnations of its own.",
        f"Name one of {', '.join(READ)}. More partitions for another topic: kafka-topics.sh "
        "--alter, since nobody relies on the order of its records.",
    )


def _tell_name(settings: Settings, kind: Topic, source: str, topic: str) -> None:
    """Say how everybody finds the successor; the local stack is told at once."""
    names = {**settings.topic_names, kind.value: topic.removeprefix(settings.topic_prefix)}
    say(f"{topic} has taken the place of {source}, which is closed and stays as it is.")
    if _tell_local_stack(settings, names):
        say("Start Parley again (`parley local up`): it knows the name.")
        return
    say("Start all services, gateways too, and run all commands with:")
    say(f"PARLEY_TOPIC_NAMES='{json.dumps(names)}'")


def _tell_local_stack(settings: Settings, names: dict[str, str]) -> bool:
    state = StateFile(local_stack_file())
    if state.read().get("kafka_bootstrap") != settings.kafka_bootstrap:
        return False
    state.update(topic_names=names)
    return True
