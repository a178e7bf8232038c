"""Why something was not taken, for programs and for people."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from parley.events import ConversationState


class Code(StrEnum):
    """Every refusal that a client can meet."""

    INVALID_JSON = "invalid_json"
    INVALID_FRAME = "invalid_frame"
    BINARY_FRAME = "binary_frame"
    UNKNOWN_TYPE = "unknown_type"
    ID_REQUIRED = "id_required"
    HELLO_REQUIRED = "hello_required"
    HELLO_TIMEOUT = "hello_timeout"
    ALREADY_CONNECTED = "already_connected"
    OVERLOADED = "overloaded"
    NOT_DURABLE = "not_durable"
    DRAINING = "draining"
    INVALID_TRANSITION = "invalid_transition"
    TRANSITION_LOST = "transition_lost"
    STATE_UNKNOWN = "state_unknown"
    CONVERSATION_ENDED = "conversation_ended"
    NO_CONVERSATION = "no_conversation"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    SLOW_READER = "slow_reader"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the name of a refusal


# What passes by itself: the same again, a little later, may succeed.
RETRYABLE: Final = frozenset(
    {
        Code.OVERLOADED,
        Code.NOT_DURABLE,
        Code.DRAINING,
        Code.STATE_UNKNOWN,
        Code.RATE_LIMITED,
        Code.TOO_MANY_CONNECTIONS,
    }
)


class Refused(Exception):
    """Nothing was recorded, or for `not_durable`: nobody knows; the same id may be sent again.

    A refused transition says in which state the conversation is, and which it may go to.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        retry_after_ms: int | None = None,
        *,
        state: ConversationState | None = None,
        allowed: Sequence[ConversationState] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.state = state
        self.allowed = allowed

    @property
    def is_retryable(self) -> bool:
        """Whether the same again may succeed later."""
        return self.code in RETRYABLE
