"""The options that all imports share."""

from typing import Annotated, Final

import typer

TenantOption = Annotated[str, typer.Option(help="Whose conversations they are.")]
ChannelOption = Annotated[
    str, typer.Option(help="The channel they came by; its gap policy decides the segments.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until all is stored and analysed.")
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Check everything, say what would come in, publish nothing."),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad rows out and import the rest.")
]
MaxLagOption = Annotated[
    int,
    typer.Option(
        min=0,
        help="Records that the services may be behind in a partition before the import waits for "
        "them, so that live talk is not delayed. 0: never wait.",
    ),
]

DEFAULT_TENANT: Final = "default"
DEFAULT_CHANNEL: Final = "import"
DEFAULT_MAX_LAG: Final = 5_000
