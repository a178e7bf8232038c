"""`parley topics`: create the topics, show them, and make their next incarnations."""

import asyncio
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any, Final

import typer

from parley.cli import incarnations
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.log.admin import AppliedTopic, PartitionEnds, admin_client, apply_topics, topic_ends
from parley.log.granting import grant
from parley.log.rights import RIGHTS, Acl, acls, command_of
from parley.settings import Settings
from parley.topics import SPECS, TopicSpec

_SCRIPT: Final = """\
#!/bin/sh
# What Parley's services may do at Kafka; made by `parley topics rights`.
set -eu
allow() {
  kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$COMMAND_CONFIG" \\
    --add --allow-principal "$@"
}"""

app = typer.Typer(help="Create, list, grow and repair the topics.", no_args_is_help=True)
app.command("grow")(incarnations.grow_topic)
app.command("repair")(incarnations.repair_topic)


@app.command()
def apply(output: OutputOption = Output.TABLE) -> None:
    """Create the topics that are missing; those that exist stay as they are.

    Example: PARLEY_PARTITIONS=12 parley topics apply
    """
    applied = run(apply_topics(Settings.load()))
    print_rows(
        output,
        [_applied_row(topic) for topic in applied],
        ("topic", "partitions", "state"),
    )


@app.command()
def rights(
    principal_prefix: Annotated[
        str, typer.Option("--principal-prefix", help="what the services' names have before them")
    ] = "parley-",
    apply: Annotated[
        bool, typer.Option("--apply", help="give the rights, instead of printing how")
    ] = False,
) -> None:
    """Print the commands that give each service its rights at Kafka, and no other.

    What is printed is a shell script for an administrator: it calls Kafka's own kafka-acls.sh with
    the variables BOOTSTRAP and COMMAND_CONFIG. With --apply they are given at once, by whoever
    PARLEY_KAFKA_USERNAME is.

    Example: parley topics rights > acls.sh
    """
    settings = Settings.load()
    wanted = list(acls(settings, principal_prefix))
    if apply:
        run(grant(settings, wanted))
        say(f"{len(wanted)} rights of {len(RIGHTS)} services are given.")
        return
    typer.echo("\n".join((_SCRIPT, *_allowing(wanted))))


def _allowing(wanted: Sequence[Acl]) -> Iterator[str]:
    for (principal, _, _), granted in groupby(
        wanted, key=lambda one: (one.principal, one.resource, one.name)
    ):
        yield f"allow {shlex.join(command_of(principal, granted))}"


def _applied_row(topic: AppliedTopic) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "partitions": topic.partition_count,
        "state": "created" if topic.was_created else "was there",
    }


@app.command("list")
def list_topics(output: OutputOption = Output.TABLE) -> None:
    """Show every topic with its partitions, its records and how long they are kept.

    Example: parley topics list -o json
    """
    rows = run(topic_rows(Settings.load()))
    print_rows(output, rows, ("topic", "partitions", "records", "kept", "holds"))
    if any(row["partitions"] == 0 for row in rows):
        say("Topics are missing: create them with `parley topics apply`.")
        raise typer.Exit(1)


async def topic_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row a topic of Parley; no partitions where it does not exist. Raises UserError."""
    async with admin_client(settings) as admin:
        described = await admin.describe_topics()
    present = {one["topic"] for one in described if one["error_code"] == 0}
    return list(await asyncio.gather(*(_row(settings, spec, present) for spec in SPECS)))


async def _row(settings: Settings, spec: TopicSpec, present: set[str]) -> dict[str, Any]:
    name = settings.topic(spec.topic)
    ends = await topic_ends(settings, name) if name in present else []
    return {
        "topic": name,
        "partitions": len(ends),
        "records": sum(one.end - one.beginning for one in ends),
        "kept": _kept(spec),
        "holds": spec.purpose,
        "ends": [_end(one) for one in ends],
    }


def _kept(spec: TopicSpec) -> str:
    if spec.is_compacted:
        return "last version of each key"
    if spec.retention_ms < 0:
        return "for ever"
    minutes = spec.retention_ms // 60_000
    return f"{minutes // 1440} days" if minutes >= 1440 else f"{minutes} minutes"  # noqa: PLR2004


def _end(ends: PartitionEnds) -> dict[str, int]:
    return {"partition": ends.partition, "beginning": ends.beginning, "end": ends.end}
