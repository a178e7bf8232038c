"""What the commands about verdicts are asked by."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import typer

from parley import clock
from parley.cli.times import moment_of
from parley.errors import UserError

DEFAULT_TENANT: Final = "default"

TenantOption = Annotated[str, typer.Option(help="Whose.")]
ConversationOption = Annotated[
    str | None, typer.Option("--conversation", "-c", help="Only this one's.")
]
PassOption = Annotated[
    str | None,
    typer.Option(
        "--pass", "-p", help="Only this one's: its name, or NAME@VERSION.", metavar="PASS"
    ),
]
OlderOption = Annotated[
    bool,
    typer.Option("--all", help="Also of former revisions, and of segments that were merged."),
]


def pass_of(text: str | None) -> tuple[str | None, int | None]:
    """The name and the version that were asked for; raises UserError."""
    if text is None:
        return None, None
    name, at, version = text.partition("@")
    if not at:
        return name, None
    if not version.isdecimal():
        raise UserError(
            f"--pass {text} is not understood.", "Write a name, or a name and a number: topics@2."
        )
    return name, int(version)


def segment_of(text: str) -> str:
    """A segment's id; raises UserError."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise UserError(
            f"{text} is no segment's id.",
            "See the ids with `parley verdicts list`, or `parley explain CONVERSATION`.",
        ) from error


def since_of(text: str | None) -> datetime | None:
    """A moment, or how long ago; raises UserError."""
    return None if text is None else moment_of("--since", text, clock.now())
