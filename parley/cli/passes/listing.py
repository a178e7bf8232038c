"""`parley passes list`: every pass, which version is in force, and since when."""

from typing import Annotated, Any, Final

import typer

from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.passes.suspending import reason_of, say_remedies, suspended_now
from parley.cli.running import run
from parley.passes.applied import AppliedPass
from parley.passes.catalog import Catalog
from parley.passes.publishing import read_catalog
from parley.settings import Settings

IN_FORCE: Final = "in force"
STARTING: Final = "starting"
DISABLED: Final = "disabled"
REPLACED: Final = "not in force"

_COLUMNS: Final = (
    *("pass", "version", "kind", "category", "state", "since", "by", "fingerprint"),
    *("description",),
)
_COLUMNS_SUSPENDED: Final = (*_COLUMNS[:5], "suspended", *_COLUMNS[5:-1])


def list_passes(
    every_version: Annotated[
        bool, typer.Option("--all", help="All versions, not only the one that counts.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show every pass: the version in force, or the latest one where none is.

    A pass that is starting was enabled by a command that did not finish; it is run over every
    segment meanwhile. `parley passes enable` finishes it. Jobs of one that is suspended wait: with
    the reason, and what can be done about it.

    Examples: parley passes list

    parley passes list --all -o json
    """
    settings = Settings.load()
    catalog = run(read_catalog(settings))
    suspended = run(suspended_now(settings))
    chosen = [
        one
        for name in catalog.names()
        for one in _chosen(catalog, name, every_version=every_version)
    ]
    rows = [
        {**pass_row(catalog, one), "suspended": reason_of(suspended, one.fingerprint)}
        for one in chosen
    ]
    has_suspended = any(row["suspended"] for row in rows)
    if output is Output.TABLE:
        rows = [{**row, "fingerprint": row["fingerprint"][:12]} for row in rows]
    print_rows(output, rows, _COLUMNS_SUSPENDED if has_suspended else _COLUMNS)
    fingerprints = {one.fingerprint for one in chosen}
    say_remedies(one for key, one in (suspended or {}).items() if key in fingerprints)
    if not rows:
        say("Nothing was applied yet: `parley passes apply --shipped` applies what is installed.")


def _chosen(catalog: Catalog, name: str, *, every_version: bool) -> list[AppliedPass]:
    if every_version:
        return [said.body for said in reversed(catalog.versions(name))]
    return [catalog.in_force(name) or catalog.latest(name)]


def pass_row(catalog: Catalog, one: AppliedPass) -> dict[str, Any]:
    """A version of a pass, and how it stands."""
    said = catalog.activation(one.name)
    state = state_of(catalog, one)
    counts = said is not None and state in (IN_FORCE, STARTING)
    return {
        "pass": one.name,
        "version": one.version,
        "kind": one.definition.kind.value,
        "category": one.definition.category,
        "state": state,
        "since": said.body.latest.activated_at if said is not None and counts else None,
        "by": said.changed_by if said is not None and counts else "",
        "fingerprint": one.fingerprint,
        "description": one.definition.description,
    }


def state_of(catalog: Catalog, one: AppliedPass) -> str:
    """Whether a version is in force now."""
    said = catalog.activation(one.name)
    if said is None or not said.body.is_enabled:
        return DISABLED
    if catalog.in_force(one.name) != one:
        return REPLACED
    return IN_FORCE if said.body.is_placed else STARTING
