"""Asks the person once more before many dead letters are changed."""

import sys

import typer

from parley.cli.dead_letters.choosing import Choice
from parley.cli.wording import counted
from parley.errors import UserError


def require_choice(chosen: Choice, *, everything: bool) -> None:
    """Raise UserError where nothing says which letters are meant."""
    if not chosen.is_narrow and not everything:
        raise UserError(
            "Which dead letters?", "Name ids, or a filter such as --reason; --all means all open."
        )


def confirm(verb: str, count: int, chosen: Choice, *, is_agreed: bool) -> None:
    """Ask, unless ids were named or it was agreed to; ends the command with status 1 at a no."""
    if chosen.ids is not None or is_agreed or count == 0:
        return
    question = f"{verb} {counted(count, 'dead letter')}?"
    if not sys.stdin.isatty():
        raise UserError(f"{question} Nobody is there to say so.", "Say it with --yes.")
    typer.confirm(question, abort=True, err=True)
