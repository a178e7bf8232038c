"""Which pass versions a backfill runs: those in force of the passes that are named."""

from collections.abc import Sequence
from difflib import get_close_matches

from parley.backfilling.core import BackfillPass
from parley.errors import UserError
from parley.passes.catalog import Catalog


def choose(catalog: Catalog, names: Sequence[str], *, takes_all: bool) -> list[BackfillPass]:
    """The versions in force of these passes, or of all that are enabled; raises UserError.

    NAME@VERSION takes that version, whether or not it is in force.
    """
    if takes_all and names:
        raise UserError("Passes are named, and --all is given.", "Leave out one of the two.")
    if not takes_all:
        return [_named(catalog, name) for name in dict.fromkeys(names)]
    found = [catalog.in_force(name) for name in catalog.names()]
    chosen = [BackfillPass.of(one) for one in found if one is not None]
    if not chosen:
        raise UserError(
            "No pass is enabled.", "See `parley passes list`, and enable one with `parley passes`."
        )
    return chosen


def _named(catalog: Catalog, text: str) -> BackfillPass:
    name, at, number = text.partition("@")
    if name not in catalog.names():
        raise UserError(
            f"There is no pass {name}.{_near(catalog, name)}", "See `parley passes list`."
        )
    if not at:
        one = catalog.in_force(name)
        if one is None:
            raise UserError(
                f"The pass {name} is not enabled.",
                f"Enable it with `parley passes enable {name}`, or name a version: {name}@1.",
            )
        return BackfillPass.of(one)
    applied = catalog.version(name, int(number)) if number.isdecimal() else None
    if applied is None:
        known = ", ".join(str(said.body.version) for said in catalog.versions(name))
        raise UserError(f"The pass {name} has no version {number}.", f"It has: {known}.")
    return BackfillPass.of(applied)


def _near(catalog: Catalog, name: str) -> str:
    near = get_close_matches(name, catalog.names(), n=1)
    return f" Did you mean {near[0]}?" if near else ""
