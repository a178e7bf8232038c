"""A record's headers as JSON: pairs of a name and its value in base64, in their order."""

import base64
import json
from functools import lru_cache
from typing import Final

from parley.codec import Header

# PostgreSQL holds no NUL in a JSON text: a name shows the sign for it instead.
_NUL_SIGN: Final = "\N{SYMBOL FOR NULL}"


# Nearly all records of a kind have the same.
@lru_cache(maxsize=256)
def headers_to_json(headers: tuple[Header, ...]) -> str:
    """What a column of headers holds."""
    return json.dumps(
        [
            [name.replace("\0", _NUL_SIGN), base64.b64encode(value).decode()]
            for name, value in headers
        ]
    )


@lru_cache(maxsize=256)
def headers_from_json(text: str) -> tuple[Header, ...]:
    """The headers of such a column."""
    return tuple((name, base64.b64decode(value)) for name, value in json.loads(text))
