"""Why something was not taken, for programs and for people."""

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Every refusal that a client can meet."""

    INVALID_JSON = "invalid_json"
    INVALID_FRAME = "invalid_frame"
    BINARY_FRAME = "binary_frame"
    UNKNOWN_TYPE = "unknown_type"
    NOT_SUPPORTED = "not_supported"
    ID_REQUIRED = "id_required"
    HELLO_REQUIRED = "hello_required"
    HELLO_TIMEOUT = "hello_timeout"
    ALREADY_CONNECTED = "already_connected"
    OVERLOADED = "overloaded"
    NOT_DURABLE = "not_durable"
    DRAINING = "draining"


# What passes by itself: the same again, a little later, may succeed.
RETRYABLE: Final = frozenset({Code.OVERLOADED, Code.NOT_DURABLE, Code.DRAINING})


class Refused(Exception):
    """Nothing was recorded, or for `not_durable`: nobody knows; the same id may be sent again."""

    def __init__(self, code: Code, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms

    @property
    def is_retryable(self) -> bool:
        """Whether the same again may succeed later."""
        return self.code in RETRYABLE
