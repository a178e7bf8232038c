"""`parley import`: bring old conversations in through the log."""

import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from parley.cli.import_progress import ImportProgress
from parley.cli.output import Output, OutputOption, print_data, say, stdout
from parley.cli.running import run
from parley.db import migrations
from parley.db import pool as database
from parley.errors import UserError
from parley.importing.follow import Follower, Outcome, Phase
from parley.importing.messages import Envelope
from parley.importing.prepare import Findings, Preparation, Prepared
from parley.importing.publish import Published, publish
from parley.importing.source import open_source
from parley.log.admin import topic_ends
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic

app = typer.Typer(help="Bring old conversations in, through the log.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Bring old conversations in, through the log."""


@dataclass(slots=True)
class _Import:
    """One import: what was asked, what is known so far, and how long each phase took."""

    settings: Settings
    envelope: Envelope
    progress: ImportProgress
    seconds: dict[str, float] = field(default_factory=dict)
    published_count: int = 0


@app.command()
def jsonl(
    file: Annotated[str, typer.Argument(help="A JSONL file, also .gz; - is the standard input.")],
    tenant: Annotated[str, typer.Option(help="Whose conversations they are.")] = "default",
    channel: Annotated[
        str, typer.Option(help="The channel they came by; its gap policy decides the segments.")
    ] = "import",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until all is stored and analysed.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and publish nothing.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out and import the rest.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Import messages from a file with one JSON object a line.

    Needed: conversation_id, role (user, assistant, system, tool), content, occurred_at (ISO 8601;
    without a zone it is UTC). Optional: message_id, author, user_id, metadata (an object),
    audio_url, language. The author is kept in the metadata, and is the user id of a user's
    message that names none.

    The whole file is checked first; with a bad line nothing is published. Importing a file again
    adds nothing, so an interrupted import is simply run again.

    Try:

        parley import jsonl chats.jsonl.gz

        parley import jsonl chats.jsonl --dry-run

        zcat old/*.gz | parley import jsonl - --channel support --no-wait
    """
    settings = Settings.load()
    envelope = Envelope(tenant, channel, settings.policy_for(channel))
    with ImportProgress() as progress:
        job = _Import(settings, envelope, progress)
        partition_count = 0 if dry_run else run(_check(settings, needs_database=wait))
        with closing(_prepare(job, file, skip_bad=skip_bad)) as prepared:
            outcome = None
            if not dry_run and prepared.message_count:
                published = _publish(job, prepared, partition_count)
                outcome = _follow(job, prepared, published) if wait else None
    _print_summary(job, prepared, outcome, output)


async def _check(settings: Settings, *, needs_database: bool) -> int:
    """See that all is there before any work is done; returns the events topic's partitions."""
    ends = await topic_ends(settings, settings.topic(Topic.EVENTS))
    if needs_database and not (await migrations.version(settings)).is_newest:
        raise UserError(
            "The database's tables are not this release's.",
            "Create or update them with `parley db upgrade`, or import with --no-wait.",
        )
    return len(ends)


def _prepare(job: _Import, file: str, *, skip_bad: bool) -> Prepared:
    started_at = time.monotonic()
    try:
        with (
            closing(Preparation(job.envelope)) as preparation,
            open_source(file) as source,
        ):
            job.progress.reading(source.total_bytes)
            findings = preparation.read(source, job.progress.read)
            if findings.bad_count and not skip_bad:
                raise _bad_lines(findings, file)
            job.progress.sorting(findings.row_count)
            prepared = preparation.finish(job.progress.sorted)
    except KeyboardInterrupt:
        say("Interrupted while reading: nothing was published.")
        raise
    job.seconds["read"] = time.monotonic() - started_at
    return prepared


def _bad_lines(findings: Findings, file: str) -> UserError:
    total = findings.row_count + findings.bad_count
    lines = [f"  line {number}: {reason}" for number, reason in findings.bad_lines]
    if findings.bad_count > len(lines):
        lines.append(f"  … and {findings.bad_count - len(lines):,} more")
    return UserError(
        f"{findings.bad_count:,} of {total:,} lines of {file} cannot be imported:\n"
        + "\n".join(lines),
        "Nothing was published. Correct them, or leave them out with --skip-bad.",
    )


def _publish(job: _Import, prepared: Prepared, partition_count: int) -> Published:
    started_at = time.monotonic()
    job.progress.publishing(prepared.message_count)
    try:
        published = run(_send(job, prepared, partition_count))
    except KeyboardInterrupt:
        say(
            f"Interrupted with about {job.published_count:,} of {prepared.message_count:,} "
            "messages published. Run the same command again: it goes on safely, and nothing "
            "comes in twice."
        )
        raise
    job.progress.published(prepared.message_count)
    job.seconds["publish"] = time.monotonic() - started_at
    return published


async def _send(job: _Import, prepared: Prepared, partition_count: int) -> Published:
    def count(messages: int) -> None:
        job.published_count = messages
        job.progress.published(messages)

    producer = Producer(job.settings)
    await producer.start()
    try:
        topic = job.settings.topic(Topic.EVENTS)
        return await publish(prepared, job.envelope, producer, topic, partition_count, count)
    finally:
        await producer.stop()


def _follow(job: _Import, prepared: Prepared, published: Published) -> Outcome:
    try:
        return run(_wait(job, prepared, published))
    except KeyboardInterrupt:
        say("Not waiting any more: everything is in the log, and the services go on with it.")
        raise


async def _wait(job: _Import, prepared: Prepared, published: Published) -> Outcome:
    pool = await database.connect(job.settings, max_size=1)
    try:
        follower = Follower(
            pool, job.settings, job.envelope.tenant_id, published, job.progress.followed
        )
        for phase in Phase:
            started_at = time.monotonic()
            job.progress.waiting(phase)
            await follower.wait(phase)
            job.progress.reached(phase)
            job.seconds[phase.value] = time.monotonic() - started_at
        return await follower.outcome(prepared.conversation_ids())
    finally:
        await pool.close()


def _print_summary(
    job: _Import, prepared: Prepared, outcome: Outcome | None, output: Output
) -> None:
    rows = {**_file_facts(prepared), **_outcome_facts(prepared, outcome)}
    if output is not Output.TABLE:
        print_data(output, {**rows, "seconds": {k: round(v, 2) for k, v in job.seconds.items()}})
        return
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), _shown(value))
    for name, seconds in job.seconds.items():
        table.add_row(f"seconds: {name}", f"{seconds:.1f}")
    stdout.print(table)


def _file_facts(prepared: Prepared) -> dict[str, Any]:
    findings = prepared.findings
    facts: dict[str, Any] = {
        "rows": findings.row_count + findings.bad_count,
        "left_out": findings.bad_count,
        "repeated": findings.repeated_count,
        "messages": prepared.message_count,
        "conversations": prepared.conversation_count,
        "earliest": prepared.earliest,
        "latest": prepared.latest,
    }
    if findings.ignored_fields:
        facts["ignored_fields"] = sorted(findings.ignored_fields)
    return facts


def _outcome_facts(prepared: Prepared, outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {}
    facts = {
        "new_messages": outcome.new_messages,
        "already_known": prepared.message_count - outcome.new_messages - outcome.dead_letters,
        "segments": outcome.segments,
        "verdicts": outcome.verdicts,
    }
    if outcome.open_windows:
        facts["still_open"] = outcome.open_windows
    if outcome.dead_letters:
        facts["dead_letters"] = outcome.dead_letters
    return facts


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return f"{value:,}" if isinstance(value, int) else str(value or "")
