"""Finds the run that a person names by the beginning of its id."""

import re
from typing import Annotated, Final

import typer

from parley.backfilling import runs
from parley.backfilling.runs import Run
from parley.db.pool import Pool
from parley.errors import UserError

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Its id, or the first letters of it.")
]
_LETTERS: Final = re.compile(r"[0-9a-f-]{1,36}")


async def find(pool: Pool, beginning: str) -> Run:
    """The one run whose id begins so; raises UserError."""
    known = await runs.ids_like(pool, beginning) if _LETTERS.fullmatch(beginning) else []
    if len(known) > 1:
        raise UserError(
            f"Several backfills begin with {beginning}.",
            "Give more of the id: `parley backfill list`.",
        )
    found = await runs.run(pool, known[0]) if known else None
    if found is None:
        raise UserError(f"There is no backfill {beginning}.", "See `parley backfill list`.")
    return found
