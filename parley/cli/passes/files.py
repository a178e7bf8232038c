"""The passes that a command is given: files, or those whose code is installed here."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from parley.errors import UserError
from parley.passes.catalog import Catalog
from parley.passes.parsing import parse_passes
from parley.passes.planning import Wanted
from parley.passes.shipped import shipped_definitions

_MOST_BYTES: Final = 10_000_000
_STDIN: Final = Path("-")

FilesArgument = Annotated[
    list[Path] | None, typer.Argument(help="YAML files, each with one or more passes; - is stdin.")
]
ShippedOption = Annotated[
    bool, typer.Option("--shipped", help="The passes that are installed here.")
]


def texts_of(files: Sequence[Path] | None, *, shipped: bool) -> dict[str, str]:
    """What is in the files, none of those that are installed; raises UserError.

    Before anything is asked for: a wrong path is known without Kafka.
    """
    if bool(files) == shipped:
        raise UserError("Name the files of passes, or give --shipped.", "One of both is needed.")
    return {str(file): _text(file) for file in files or ()}


async def wanted_passes(catalog: Catalog, texts: Mapping[str, str]) -> list[Wanted]:
    """What the command is about: these files, or where there are none all that is installed.

    Raises UserError.
    """
    if not texts:
        return [Wanted(one) for one in await shipped_definitions()]
    return parse_passes(texts, catalog.prompts())


def _text(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if file == _STDIN else file.read_bytes()
        if len(content) > _MOST_BYTES:
            raise UserError(f"{file} is too large.", f"Up to {_MOST_BYTES:,} bytes are read.")
        return content.decode()
    except OSError as error:
        raise UserError(
            f"{file} cannot be read: {error.strerror}.", "Give the path of a YAML file."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is no text.", "Write it in UTF-8.") from error
