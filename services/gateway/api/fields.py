"""Paths, queries and headers of the API, each bounded so that no input can be a fault of ours."""

import re
from datetime import datetime
from typing import Annotated, Final

from fastapi import Header, Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from parley.codec.validity import EARLIEST, LATEST
from parley.position import InvalidPosition, Position

MAX_ID_CHARS: Final = 512
PREFERENCES: Final = "preferences:"
# NUL cannot be stored.
NO_NUL: Final = r"^[^\x00]*$"

ConversationId = Annotated[
    str, Path(min_length=1, max_length=MAX_ID_CHARS, pattern=NO_NUL, examples=["support-4711"])
]
SessionId = Annotated[str, Path(min_length=1, max_length=MAX_ID_CHARS, pattern=NO_NUL)]
# They are written under an id with a few letters before it.
UserId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_ID_CHARS - len(PREFERENCES),
        pattern=NO_NUL,
        examples=["u-1"],
    ),
]
UUID_PATTERN: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
ImportId = Annotated[
    str, Path(pattern=UUID_PATTERN, examples=["0d6fc0c1-6a3e-5c1b-8d55-0e9a7b2f4c11"])
]
SegmentId = Annotated[
    str, Path(pattern=UUID_PATTERN, examples=["0f8fad5b-d9cb-569f-a165-70867728950e"])
]
_NUMBER: Final = re.compile(r"[+-]?[0-9._]+(e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
ImportIdInQuery = Annotated[
    str | None, Query(pattern=UUID_PATTERN, description="The import that the messages belong to.")
]

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=MAX_ID_CHARS,
        description="The same key and client_id: the same result, not another one.",
    ),
]
After = Annotated[
    str | None,
    Header(
        alias="X-Parley-After",
        description="The position of a write: the answer waits, 2 s at most, until it shows it.",
    ),
]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the last page")]

# PostgreSQL's own numbers: what is larger was never given out.
_MOST_PARTITIONS: Final = 2**31
_MOST_OFFSETS: Final = 2**62


def _believable(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError("must lie within the years 1900 to 2200")
    return moment


def _written_out(moment: object) -> object:
    # Pydantic takes a number in a query for seconds since 1970, which no schema says.
    if isinstance(moment, str) and _NUMBER.fullmatch(moment.strip()):
        raise ValueError("must be an ISO 8601 time with an offset")
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_believable)]


def position_of(text: str) -> Position:
    """The position of an X-Parley-After; raises RequestValidationError."""
    try:
        position = Position.parse(text)
    except InvalidPosition as error:
        raise invalid("header", "X-Parley-After", str(error)) from error
    is_possible = (
        0 <= position.partition < _MOST_PARTITIONS and 0 <= position.offset < _MOST_OFFSETS
    )
    if not is_possible or "\0" in position.incarnation:
        raise invalid("header", "X-Parley-After", "not a position that Parley gave out")
    return position


def invalid(where: str, name: str, message: str) -> RequestValidationError:
    """A field that is wrong, for which no type could say so."""
    return RequestValidationError([{"loc": (where, name), "msg": message, "type": "value_error"}])
