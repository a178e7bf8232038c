"""Commands whose code is imported when they are called: none waits for what others need."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Final

import typer
from typer.core import TyperCommand, TyperGroup

MARKUP_MODE: Final = "markdown"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is: a Typer or a function in a module, and the first sentence of its help."""

    module: str
    attribute: str
    summary: str

    def load(self, name: str) -> Any:
        """Import it, as the command of that name."""
        found = getattr(import_module(self.module), self.attribute)
        parent = typer.Typer(rich_markup_mode=MARKUP_MODE, add_completion=False)
        if isinstance(found, typer.Typer):
            parent.add_typer(found, name=name)
        else:
            parent.command(name)(found)
            # With one command alone Typer makes no group.
            parent.callback()(_nothing)
        return typer.main.get_group(parent).commands[name]


class LazyGroup(TyperGroup):
    """Lists its commands by their summaries, and imports the one that is called."""

    places: ClassVar[Mapping[str, Place]]

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        for name, place in self.places.items():
            self.add_command(TyperCommand(name, help=place.summary))

    def resolve_command(
        self, ctx: Any, args: list[str]
    ) -> tuple[str | None, Any | None, list[str]]:
        """The command that is called, with what is left of the arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            command = self.places[name].load(name)
        return name, command, rest


def _nothing() -> None:
    """Do nothing before the command."""
