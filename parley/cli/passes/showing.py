"""`parley passes show`: a version of a pass as a file that could be applied, and how it stands."""

from typing import Annotated, Any

import typer

from parley.cli.output import Output, OutputOption, print_data, say
from parley.cli.passes.listing import pass_row
from parley.cli.passes.suspending import reason_of, say_remedies, suspended_now
from parley.cli.running import run
from parley.codec.definitions import definition_fields
from parley.passes.applied import ActiveVersion
from parley.passes.catalog import Catalog
from parley.passes.parsing import to_yaml
from parley.passes.planning import find
from parley.passes.publishing import read_catalog
from parley.settings import Settings

NameArgument = Annotated[str, typer.Argument(help="The name of the pass.")]
VersionOption = Annotated[int | None, typer.Option(help="Which version; without it, the latest.")]


def show(
    name: NameArgument,
    *,
    version: VersionOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a version of a pass as the file that gives it; how it stands is told beside it.

    With -o json all of it is one object, offsets of the seals topic included.

    Examples: parley passes show sentiment

    parley passes show summary -o yaml > summary.yaml
    """
    settings = Settings.load()
    catalog = run(read_catalog(settings))
    one = find(catalog, name, version)
    suspended = run(suspended_now(settings))
    row = {**pass_row(catalog, one), "suspended": reason_of(suspended, one.fingerprint)}
    if output is Output.JSON:
        whole = {**row, "definition": definition_fields(one.definition)}
        print_data(output, {**whole, "versions": _versions(catalog, name)})
        return
    typer.echo(to_yaml(one.definition), nl=False)
    since = f" since {row['since']:%Y-%m-%d %H:%M:%S} UTC" if row["since"] else ""
    say(f"{name} version {one.version} is {row['state']}{since}; fingerprint {one.fingerprint}.")
    if suspended is not None and one.fingerprint in suspended:
        say_remedies([suspended[one.fingerprint]])


def _versions(catalog: Catalog, name: str) -> list[dict[str, Any]]:
    said = catalog.activation(name)
    return [] if said is None else [_version(one) for one in said.body.versions]


def _version(one: ActiveVersion) -> dict[str, Any]:
    return {
        "version": one.version,
        "activated_at": one.activated_at,
        "seals_incarnation": None if one.since is None else one.since.incarnation,
        "seals_offsets": None if one.since is None else list(one.since.offsets),
    }
