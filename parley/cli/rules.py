"""`parley rules`: by which version of the sealing rule each partition is judged."""

import asyncio
from typing import Annotated, Any, Final

import typer

from parley import clock, ids
from parley.cli import facts
from parley.cli.facts import SQL
from parley.cli.output import Output, OutputOption, print_data, print_rows, say, stdout, table_of
from parley.cli.running import run
from parley.codec import VALIDITY_VERSION, Outgoing, encode_event
from parley.codec.events import EVENT_HEADERS
from parley.errors import UserError
from parley.events import Event, RuleActivated
from parley.log.admin import topic_ends
from parley.log.producer import Producer
from parley.rules import FIRST_RULE, RULES
from parley.settings import Settings
from parley.topics import Topic

app = typer.Typer(help="See and activate versions of the sealing rule.", no_args_is_help=True)

_COLUMNS: Final = ("partition", "rule_version", "known_rules", "worker", "stopped")
_RULE_COLUMNS: Final = ("version", "is_active", "what")


@app.command("list")
def list_rules(output: OutputOption = Output.TABLE) -> None:
    """Show the versions that this release knows, and which one counts in each partition.

    What a partition's worker knows is as of its last batch; a partition without records has none.

    Example: parley rules list
    """
    partitions = run(_partitions(Settings.load()))
    active = {row["rule_version"] for row in partitions}
    known = [
        {"version": version, "is_active": version in active, "what": what}
        for version, what in sorted(RULES.items())
    ]
    if output is not Output.TABLE:
        print_data(output, {"known": known, "partitions": partitions})
        return
    stdout.print(table_of(known, _RULE_COLUMNS, "rules that this release knows"))
    stdout.print(table_of([_for_people(row) for row in partitions], _COLUMNS, "partitions"))


@app.command()
def activate(
    version: Annotated[int, typer.Argument(help="The rule's version.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and who would stop.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Judge by another version of the rule from here on: in every partition of the log.

    It is written into the log, so that every replay changes at the same record. A worker whose
    release does not know the version stops there and says so; a newer one goes on. Where it counts
    already, nothing is written. Segments that are sealed stay as they are.

    Example: parley rules activate 1 --dry-run
    """
    if version not in RULES:
        known = ", ".join(str(one) for one in sorted(RULES))
        raise UserError(
            f"This release does not know version {version} of the rule.",
            f"It knows {known}. Update Parley everywhere first: workers that do not know a "
            "version stop where it is activated.",
        )
    settings = Settings.load()
    partitions = run(_partitions(settings))
    wanted = [row for row in partitions if row["rule_version"] != version]
    for row in wanted:
        if row["known_rules"] and version not in row["known_rules"]:
            say(
                f"Partition {row['partition']}: worker {row['worker']} does not know it, and stops."
            )
    if not wanted:
        say(f"Version {version} counts in every partition already: nothing was written.")
    elif not dry_run:
        run(_activate(settings, version, [row["partition"] for row in wanted]))
    if wanted or output is not Output.TABLE:
        rows = [{**_for_people(row), "becomes": version} for row in wanted]
        print_rows(output, rows, (*_COLUMNS, "becomes"))


async def _partitions(settings: Settings) -> list[dict[str, Any]]:
    """Every partition of the events topic, with the rule that counts in it."""
    topic = settings.topic(Topic.EVENTS)
    ends = await topic_ends(settings, topic)
    async with facts.connection_pool(settings) as pool:
        rows = {row["partition"]: row for row in await pool.fetch(SQL["rules"], topic)}
    return [_row(one.partition, rows.get(one.partition)) for one in ends]


def _row(partition: int, row: Any) -> dict[str, Any]:
    if row is None:
        return {"partition": partition, "rule_version": FIRST_RULE, "known_rules": []}
    return {
        "partition": partition,
        "rule_version": row["rule_version"],
        "known_rules": list(row["known_rules"]),
        "worker": row["owner"],
        "stopped": row["stopped_reason"],
    }


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "known_rules": ", ".join(str(one) for one in row["known_rules"])}


async def _activate(settings: Settings, version: int, partitions: list[int]) -> None:
    """Write it; all partitions side by side, each durable. Raises KafkaError."""
    producer = Producer(settings)
    await producer.start()
    try:
        topic = settings.topic(Topic.EVENTS)
        await asyncio.gather(*(producer.send(_record(topic, one, version)) for one in partitions))
    finally:
        await producer.stop()


def _record(topic: str, partition: int, version: int) -> Outgoing:
    now = clock.now()
    event = Event(ids.random_id(), RuleActivated(version, VALIDITY_VERSION), now, now)
    return Outgoing(topic, None, encode_event(event), EVENT_HEADERS, partition)
