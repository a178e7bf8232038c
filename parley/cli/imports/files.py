"""An import of a file, whatever its format."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from parley.cli.import_progress import ImportProgress
from parley.cli.imports.job import ImportJob, envelope_of, find_topic, follow, publish_all
from parley.cli.imports.summary import print_summary, run_facts
from parley.cli.output import Output, say
from parley.errors import UserError
from parley.importing.prepare import Findings, Preparation, Reader
from parley.importing.prepared import Prepared
from parley.importing.source import open_source
from parley.settings import Settings


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What was asked: which file, how to read it, and what to do with it."""

    file: str
    rows: Reader
    tenant_id: str
    channel: str
    wait: bool
    dry_run: bool
    skip_bad: bool
    max_lag: int
    output: Output


def import_file(request: FileRequest) -> None:
    """Check the file whole, then publish it and wait; raises UserError."""
    settings = Settings.load()
    envelope = envelope_of(settings, request.tenant_id, request.channel, dry_run=request.dry_run)
    published = outcome = None
    with ImportProgress() as progress:
        job = ImportJob(settings, envelope, progress, request.max_lag)
        topic = None if request.dry_run else find_topic(settings)
        findings, prepared = _prepare(job, request)
        with closing(prepared):
            if topic is not None and prepared.message_count:
                published = publish_all(job, prepared, topic)
                outcome = follow(job, prepared, published) if request.wait else None
    facts = {**_file_facts(findings, prepared), **run_facts(prepared, published, outcome)}
    print_summary(facts, job.seconds, request.output)


def _prepare(job: ImportJob, request: FileRequest) -> tuple[Findings, Prepared]:
    try:
        with (
            job.timed("read"),
            closing(Preparation(job.envelope)) as preparation,
            open_source(request.file) as source,
        ):
            job.progress.reading(source.total_bytes)
            findings = preparation.read(source, request.rows, job.progress.read)
            if findings.bad_count and not request.skip_bad:
                raise _bad_lines(findings, request.file)
            job.progress.sorting(findings.row_count)
            prepared = preparation.finish(job.progress.sorted)
            job.progress.prepared()
            return findings, prepared
    except KeyboardInterrupt:
        say("Interrupted while reading: nothing was published.")
        raise


def _bad_lines(findings: Findings, file: str) -> UserError:
    total = findings.row_count + findings.bad_count
    lines = [f"  line {number}: {reason}" for number, reason in findings.bad_lines]
    if findings.bad_count > len(lines):
        lines.append(f"  … and {findings.bad_count - len(lines):,} more")
    return UserError(
        f"{findings.bad_count:,} of {total:,} rows of {file} cannot be imported:\n"
        + "\n".join(lines),
        "Nothing was published. Correct them, or leave them out with --skip-bad.",
    )


def _file_facts(findings: Findings, prepared: Prepared) -> dict[str, Any]:
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
