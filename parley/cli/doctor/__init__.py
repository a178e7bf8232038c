"""`parley doctor`: checks everything that it can reach, and says what is wrong and what to do."""

import asyncio
from typing import Final

import typer
from rich.markup import escape

from parley.cli.doctor.database import check_database
from parley.cli.doctor.findings import Finding, Level
from parley.cli.doctor.kafka import check_kafka
from parley.cli.doctor.machine import check_machine
from parley.cli.doctor.services import check_services
from parley.cli.output import Output, OutputOption, print_data, stdout
from parley.cli.running import run
from parley.settings import Settings

_COLOURS: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def doctor(output: OutputOption = Output.TABLE) -> None:
    """Check Kafka, topics, database, services, consumers and this machine.

    Every line is ok, warn or fail, with what to do; exit status 1 when one is fail.
    """
    settings = Settings.load()
    findings = run(_examine(settings))
    if output is not Output.TABLE:
        print_data(output, [one.as_json() for one in findings])
    else:
        for one in findings:
            _print(one)
    if any(one.level is Level.FAIL for one in findings):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[Finding]:
    groups = await asyncio.gather(
        check_kafka(settings),
        check_database(settings),
        check_services(settings),
        check_machine(settings),
    )
    return [finding for group in groups for finding in group]


def _print(finding: Finding) -> None:
    colour = _COLOURS[finding.level]
    stdout.print(
        f"[{colour}]{finding.level.value:<4}[/]  {finding.subject:<12}  {escape(finding.text)}"
    )
    if finding.remedy:
        stdout.print(f"{'':<20}{escape(finding.remedy)}")
