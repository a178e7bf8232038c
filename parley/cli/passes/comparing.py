"""`parley passes diff`: what applying files would change, field by field."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import typer
from rich.markup import escape

from parley.cli.output import Output, OutputOption, print_data, say, stdout
from parley.cli.passes.files import FilesArgument, ShippedOption, texts_of, wanted_passes
from parley.cli.running import run
from parley.passes.catalog import Catalog
from parley.passes.comparing import Difference, differences
from parley.passes.definition import PassDefinition
from parley.passes.planning import Wanted, next_version
from parley.passes.publishing import read_catalog
from parley.settings import Settings

SAME: Final = "same"
FIRST: Final = "new pass"
NEXT: Final = "new version"
UPDATED: Final = "same fingerprint"
REFUSED: Final = "other fingerprint"


def diff(
    files: FilesArgument = None,
    *,
    shipped: ShippedOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare files with what is applied; exit status 1 when there is a difference.

    A version is compared with itself, or where it is new with the latest one. The fingerprint
    changes with what can change results; then a new version is needed.

    Examples: parley passes diff refunds.yaml

    parley passes diff --shipped -o json
    """
    found = run(_compare(Settings.load(), files, shipped=shipped))
    if output is not Output.TABLE:
        print_data(output, found)
    else:
        for one in found:
            _print(one)
    if any(one["change"] != SAME for one in found):
        raise typer.Exit(1)


async def _compare(
    settings: Settings, files: list[Path] | None, *, shipped: bool
) -> list[dict[str, Any]]:
    texts = texts_of(files, shipped=shipped)
    catalog = await read_catalog(settings)
    return list(_compared(catalog, await wanted_passes(catalog, texts)))


def _compared(catalog: Catalog, wanted: Sequence[Wanted]) -> Iterator[dict[str, Any]]:
    for one in wanted:
        new, known = one.definition, catalog.versions(one.definition.name)
        old = catalog.version(new.name, new.version) or (known[-1].body if known else None)
        found = [] if old is None else differences(old.definition, new)
        yield {
            "pass": new.name,
            "version": new.version,
            "next_version": next_version(catalog, new),
            "compared_with": None if old is None else old.version,
            "change": _change(catalog, new, found),
            "fingerprint": new.fingerprint,
            "applied_fingerprint": None if old is None else old.fingerprint,
            "fields": [
                {"field": each.field, "applied": each.before, "file": each.after} for each in found
            ],
        }


def _change(catalog: Catalog, new: PassDefinition, found: Sequence[Difference]) -> str:
    known = catalog.version(new.name, new.version)
    if known is None:
        return NEXT if catalog.versions(new.name) else FIRST
    if known.fingerprint != new.fingerprint:
        return REFUSED
    return UPDATED if found else SAME


def _print(one: dict[str, Any]) -> None:
    title = f"{one['pass']} version {one['version']}"
    if one["change"] == SAME:
        say(f"{title} is as it is applied.")
        return
    versus = f", compared with version {one['compared_with']}" if one["compared_with"] else ""
    stdout.print(f"[bold]{escape(title)}[/]: {one['change']}{versus}")
    for each in one["fields"]:
        stdout.print(f"  {escape(each['field'])}")
        for line in _lines(each["applied"]):
            stdout.print(f"    [red]- {escape(line)}[/]")
        for line in _lines(each["file"]):
            stdout.print(f"    [green]+ {escape(line)}[/]")
    if one["change"] == REFUSED:
        say(
            f"Its fingerprint changes, and version {one['version']} has one already: apply it as "
            f"version {one['next_version']}."
        )
    elif one["change"] == UPDATED:
        say("Its fingerprint stays: it can be applied under the same version.")


def _lines(value: Any) -> list[str]:
    return [] if value is None else str(value).splitlines() or [""]
