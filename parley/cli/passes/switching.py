"""`parley passes enable`, `disable` and `resume`: which version of a pass is in force, and run."""

from parley.cli.config_topic import who
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.passes.listing import pass_row
from parley.cli.passes.showing import NameArgument, VersionOption
from parley.cli.passes.suspending import say_remedies, suspended_now
from parley.cli.running import run
from parley.passes import publishing
from parley.passes.planning import find
from parley.passes.publishing import read_catalog
from parley.settings import Settings

_COLUMNS = ("pass", "version", "state", "since", "by")


def enable(
    name: NameArgument,
    *,
    version: VersionOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a version of a pass in force, for what is sealed from now on.

    It takes the place of the one that is: segments that were sealed before get the former one,
    also where they are read late. An earlier version can be put in force again.

    Examples: parley passes enable sentiment

    parley passes enable summary --version 1
    """
    settings = Settings.load()
    run(publishing.enable(settings, name, version, who()))
    _print(settings, name, output)
    say("It is run over what is sealed from now on; what was before is for `parley backfill`.")


def disable(name: NameArgument, output: OutputOption = Output.TABLE) -> None:
    """Make no more jobs of a pass, from now on and for every tenant.

    Jobs that there are still run, and verdicts stay. Enabled again, it is run over what is sealed
    after that.

    Example: parley passes disable sentiment
    """
    settings = Settings.load()
    find(run(read_catalog(settings)), name)
    if run(publishing.disable(settings, name, who())) is None:
        say(f"{name} is disabled already.")
    _print(settings, name, output)


def resume(name: NameArgument, output: OutputOption = Output.TABLE) -> None:
    """Try a suspended pass again, once what is wrong with its key or its model is mended.

    Every analyzer hears of it within about two seconds. Jobs go on where they stopped, and none
    of them has lost an attempt; if nothing has changed, the first ones suspend the pass again. The
    start of an analyzer does the same for all passes, which a new key or endpoint needs anyway.

    `parley passes list` shows what is suspended, and why.

    Example: parley passes resume summary
    """
    settings = Settings.load()
    find(run(read_catalog(settings)), name)
    suspended = run(suspended_now(settings))
    mine = [one for one in (suspended or {}).values() if one.pass_name == name]
    # Where the database does not tell, the log is told all the same.
    if suspended is None or any(one.is_everywhere for one in mine):
        run(publishing.resume(settings, name, who()))
        say(f"{name} is tried again; `parley passes list` shows if it is suspended anew.")
    else:
        say(f"There is nothing to resume: no key and no model has suspended {name}.")
        say_remedies(mine)
    _print(settings, name, output)


def _print(settings: Settings, name: str, output: Output) -> None:
    catalog = run(read_catalog(settings))
    one = catalog.in_force(name) or catalog.latest(name)
    print_rows(output, [pass_row(catalog, one)], _COLUMNS)
