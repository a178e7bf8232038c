"""`parley passes apply`: publish versions of passes, and put new ones in force."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from parley.cli.config_topic import who
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.errors import UserError
from parley.passes.planning import Change, Standing, Step, Wanted
from parley.passes.publishing import apply_passes
from parley.passes.shipped import shipped_definitions
from parley.settings import Settings

_COLUMNS: Final = ("pass", "version", "kind", "change", "standing", "fingerprint")


def apply(
    *,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="The passes whose code is installed here.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Publish versions of passes; new ones are in force for segments sealed from now on.

    A version that is known stays as it is: whether it is in force is for `enable` and `disable`.
    """
    if not shipped:
        raise UserError("Nothing to apply.", "Give --shipped.")
    steps = run(_apply(Settings.load()))
    _print(output, steps)


async def _apply(settings: Settings) -> list[Step]:
    wanted = [Wanted(one) for one in await shipped_definitions()]
    return await apply_passes(settings, wanted, who())


def _print(output: Output, steps: Sequence[Step]) -> None:
    print_rows(output, [_row(step) for step in steps], _COLUMNS)
    if all(step.change is Change.UNCHANGED for step in steps):
        say("All of it was applied before: nothing was changed.")
    for step in steps:
        applied = step.applied
        if step.standing is Standing.DISABLED:
            say(f"{applied.name} is disabled: `parley passes enable {applied.name}` changes that.")


def _row(step: Step) -> dict[str, Any]:
    applied = step.applied
    return {
        "pass": applied.name,
        "version": applied.version,
        "kind": applied.definition.kind.value,
        "category": applied.definition.category,
        "change": step.change.value,
        "standing": step.standing.value,
        "fingerprint": applied.fingerprint,
    }
