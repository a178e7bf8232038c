"""`parley import sql`: the two tables that earlier trackers wrote."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from parley.cli.import_progress import ImportProgress
from parley.cli.imports.job import (
    EventsTopic,
    ImportJob,
    envelope_of,
    find_topic,
    follow,
    publish_all,
)
from parley.cli.imports.options import (
    DEFAULT_CHANNEL,
    DEFAULT_MAX_LAG,
    DEFAULT_TENANT,
    ChannelOption,
    DryRunOption,
    MaxLagOption,
    SkipBadOption,
    TenantOption,
    WaitOption,
)
from parley.cli.imports.summary import facts_table, print_summary, run_facts
from parley.cli.output import Output, OutputOption, say, stderr
from parley.cli.running import run
from parley.errors import UserError
from parley.importing.earlier.old_rows import Repair
from parley.importing.earlier.prepare import EarlierPreparation, Findings
from parley.importing.earlier.reading import open_tables, server_of
from parley.importing.prepared import Prepared
from parley.settings import Settings


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked of the tables, and how to read them."""

    url: str
    schema: str | None
    prefix: str
    skip_bad: bool


@dataclass(slots=True)
class _Report:
    """What the tables hold: the same in a dry run and in the run that follows it."""

    source: str
    layout: list[str]
    findings: Findings
    prepared: Prepared

    def facts(self) -> dict[str, Any]:
        findings, prepared = self.findings, self.prepared
        return {
            "source": self.source,
            "found": self.layout,
            "session_rows": findings.session_rows,
            "message_rows": findings.message_rows,
            "conversations": prepared.conversation_count,
            "sessions": prepared.session_count,
            "sessions_left_open": findings.open_sessions,
            "messages": prepared.message_count,
            "repeated": findings.repeated_count,
            "repairs": _counts(findings.repairs),
            "rejected": _counts(findings.rejected),
            "earliest": prepared.earliest,
            "latest": prepared.latest,
        }


def sql(
    url: Annotated[
        str,
        typer.Argument(
            envvar="SOURCE_DATABASE_URL",
            help="postgresql://user:password@host:port/name; only read, in one snapshot.",
            show_default=False,
            show_envvar=True,
        ),
    ],
    schema: Annotated[
        str | None, typer.Option(help="Where the tables are, if not in the search path.")
    ] = None,
    prefix: Annotated[
        str,
        typer.Option(
            help="Put before every session and conversation id: where several old databases "
            "count from 1."
        ),
    ] = "",
    *,
    tenant: TenantOption = DEFAULT_TENANT,
    channel: ChannelOption = DEFAULT_CHANNEL,
    wait: WaitOption = True,
    dry_run: DryRunOption = False,
    skip_bad: SkipBadOption = False,
    max_lag: MaxLagOption = DEFAULT_MAX_LAG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Import conversation_sessions and conversation_messages, which earlier trackers wrote.

    Both of their generations are known by their columns: session_start and session_end, or
    started_at and ended_at; id or session_id as the key; with or without conversation_id, user_id,
    duration_seconds, is_active, metadata, audio_url. Without conversation_id each session is a
    conversation. Times without a zone are UTC.

    What they are known to leave wrong is put right, and counted: sessions that are active though
    they ended, that have no duration, no start or no end, or end before they start; messages
    without a user or a session though there is one, or whose session is missing.

    See with --dry-run what would come in. The tables are only read. Importing them again adds
    what is new since, and nothing twice; an interrupted import goes on where it was: simply run
    it again. In SOURCE_DATABASE_URL the password stays out of the shell's history.

    Try:

        parley import sql postgresql://reader:secret@db.example.com/tracker --dry-run

        parley import sql postgresql://reader@127.0.0.1:5433/tracker --schema old --channel phone

        SOURCE_DATABASE_URL=postgresql://… parley import sql --prefix eu- --skip-bad
    """
    settings = Settings.load()
    envelope = envelope_of(settings, tenant, channel, dry_run=dry_run)
    request = _Request(url, schema, prefix, skip_bad)
    with ImportProgress() as progress:
        job = ImportJob(settings, envelope, progress, max_lag)
        topic = None if dry_run else find_topic(settings)
        report = _read(job, request)
    with closing(report.prepared):
        if topic is None:
            print_summary(report.facts(), job.seconds, output)
            _refuse_bad_rows(report.findings, request)
        else:
            _import(job, report, request, topic, wait=wait, output=output)


def _import(
    job: ImportJob,
    report: _Report,
    request: _Request,
    topic: EventsTopic,
    *,
    wait: bool,
    output: Output,
) -> None:
    """Show the report, then publish; raises UserError where rows are bad."""
    stderr.print(facts_table(report.facts()))
    _refuse_bad_rows(report.findings, request)
    prepared = report.prepared
    published = outcome = None
    if prepared.event_count:
        with ImportProgress() as job.progress:
            published = publish_all(job, prepared, topic)
            outcome = follow(job, prepared, published) if wait else None
    facts = {**report.facts(), **run_facts(prepared, published, outcome)}
    print_summary(facts, job.seconds, output)


def _read(job: ImportJob, request: _Request) -> _Report:
    try:
        with (
            job.timed("read"),
            closing(EarlierPreparation(job.envelope, request.prefix)) as preparation,
        ):
            layout = run(_read_tables(job, request, preparation))
            findings = preparation.findings
            if not findings.session_rows and not findings.message_rows:
                raise UserError("The tables are empty.", "Nothing was published.")
            job.progress.sorting(findings.session_rows + findings.message_rows)
            prepared = preparation.finish(job.progress.sorted)
            job.progress.prepared()
            return _Report(server_of(request.url), layout, findings, prepared)
    except KeyboardInterrupt:
        say("Interrupted while reading: nothing was published.")
        raise


async def _read_tables(
    job: ImportJob, request: _Request, preparation: EarlierPreparation
) -> list[str]:
    async with open_tables(request.url, request.schema) as tables:
        job.progress.reading(await tables.row_count())
        await tables.read(preparation.take_session, preparation.take_message, job.progress.read)
        return tables.layout.found()


def _refuse_bad_rows(findings: Findings, request: _Request) -> None:
    count = findings.rejected.total()
    if not count or request.skip_bad:
        return
    lines = [f"  {one}" for one in findings.bad_rows]
    if count > len(lines):
        lines.append(f"  … and {count - len(lines):,} more")
    raise UserError(
        f"{count:,} rows cannot be imported:\n" + "\n".join(lines),
        "Nothing was published. Correct them, or leave them out with --skip-bad.",
    )


def _counts(counter: Mapping[Repair, int] | Mapping[str, int]) -> dict[str, int]:
    """Those that are there, the most frequent first."""
    present = ((name, count) for name, count in counter.items() if count)
    return {str(name): count for name, count in sorted(present, key=lambda one: (-one[1], one[0]))}
