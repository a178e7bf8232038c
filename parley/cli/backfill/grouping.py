"""`parley backfill` takes passes as well as the names of its own commands."""

from typing import Any, Final

from typer.core import TyperGroup

START: Final = "start"
_HELP: Final = ("--help", "-h")


class PassesOrCommand(TyperGroup):
    """What begins with no command's name is what `start` is told."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `start` before passes and their options."""
        if args and args[0] not in self.commands and args[0] not in _HELP:
            args = [START, *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest
