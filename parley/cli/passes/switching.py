"""`parley passes enable` and `disable`: which version of a pass is in force."""

from parley.cli.config_topic import who
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.passes.listing import pass_row
from parley.cli.passes.showing import NameArgument, VersionOption
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


def _print(settings: Settings, name: str, output: Output) -> None:
    catalog = run(read_catalog(settings))
    one = catalog.in_force(name) or catalog.latest(name)
    print_rows(output, [pass_row(catalog, one)], _COLUMNS)
