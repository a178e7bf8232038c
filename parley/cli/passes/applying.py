"""`parley passes apply`: publish versions of passes, and put new ones in force."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from parley.cli.config_topic import who
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.passes.files import FilesArgument, ShippedOption, texts_of, wanted_passes
from parley.cli.running import run
from parley.passes.definition import PassKind
from parley.passes.planning import Change, Standing, Step
from parley.passes.publishing import apply_passes, read_catalog
from parley.settings import Settings

_COLUMNS: Final = ("pass", "version", "kind", "change", "standing", "fingerprint")


def apply(
    files: FilesArgument = None,
    *,
    shipped: ShippedOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Publish versions of passes; new ones are in force for what is sealed from now on.

    A version has exactly one fingerprint, a hash of all that can change its results: what would
    give other results needs a new version. Description, target, sampling, priority, timeout,
    attempts and budget can be applied again under the same one. A new version takes the place of
    the one in force, unless the pass is disabled. Nothing is written if one pass cannot be applied.

    Segments that are sealed already get jobs by `parley backfill` only. Passes of the kind prompt
    are run for tenants that are subscribed to them.

    Examples: parley passes apply refunds.yaml

    parley passes apply --shipped
    """
    steps = run(_apply(Settings.load(), files, shipped=shipped))
    print_rows(output, [_row(step) for step in steps], _COLUMNS)
    _say(steps)


async def _apply(settings: Settings, files: list[Path] | None, *, shipped: bool) -> list[Step]:
    texts = texts_of(files, shipped=shipped)
    wanted = await wanted_passes(await read_catalog(settings), texts)
    return await apply_passes(settings, wanted, who())


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


def _say(steps: Sequence[Step]) -> None:
    if all(step.change is Change.UNCHANGED for step in steps):
        say("All of it was applied before: nothing was changed.")
        return
    for step in steps:
        name, version = step.applied.name, step.applied.version
        if step.standing is Standing.DISABLED:
            say(f"{name} is disabled. To run it: parley passes enable {name} --version {version}")
        elif step.standing is Standing.NOT_IN_FORCE:
            say(
                f"{name} version {version} is not in force. To put it in the place of the one "
                f"that is: parley passes enable {name} --version {version}"
            )
    prompts = [one for one in steps if one.applied.definition.kind is PassKind.PROMPT]
    if any(one.change is Change.NEW for one in prompts):
        say(
            "Passes of the kind prompt are run for tenants that want them: "
            f"parley passes subscribe {prompts[0].applied.name} --tenant …"
        )
