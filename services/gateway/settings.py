"""The gateway's settings: what it believes, allows, and how long it waits."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from parley.event_time import MAX_AGE
from parley.settings import Settings, Span

# A browser's `Origin` header: a scheme and a host, with no path behind them.
_ORIGIN: Final = r"^https?://[^/\s]+$"
Origin = Annotated[str, Field(pattern=_ORIGIN)]
PositiveSpan = Annotated[Span, Field(gt=timedelta(0))]


class GatewaySettings(Settings):
    """Settings named PARLEY_GATEWAY_…, beside those of every service."""

    gateway_tenant: str = Field(
        default="default", min_length=1, description="the tenant that everything written belongs to"
    )
    gateway_open_to_anybody: bool = Field(
        default=False,
        description="listen on other addresses than loopback although there is no access control",
    )
    gateway_origins: Annotated[tuple[Origin, ...], NoDecode] = Field(
        default=(),
        description="origins of web pages that may connect beside the gateway's own, "
        "comma-separated, such as https://chat.example.com",
    )
    gateway_reconnect_grace: Span = Field(
        default=timedelta(seconds=60),
        ge=timedelta(0),
        description="how long a session waits for its client to come back",
    )
    gateway_hello_timeout: PositiveSpan = Field(
        default=timedelta(seconds=5), description="how long a new connection may take to say hello"
    )
    gateway_ack_timeout: PositiveSpan = Field(
        default=timedelta(seconds=10), description="how long Kafka may take before `not_durable`"
    )
    gateway_max_age: PositiveSpan = Field(
        default=MAX_AGE, description="the oldest that a buffered message may claim to be"
    )
    gateway_max_frame_bytes: int = Field(
        default=64 * 1024,
        ge=1024,
        # Numbers in metadata may be written longer than they came, and a record has 1 MB.
        le=128 * 1024,
        description="the largest frame, and the largest request body",
    )
    gateway_max_in_flight: int = Field(
        default=64, ge=1, le=10_000, description="unacknowledged frames of one connection"
    )
    gateway_max_unacknowledged: int = Field(
        default=10_000, ge=1, le=1_000_000, description="unacknowledged events of the process"
    )
    gateway_max_waiting_sessions: int = Field(
        default=10_000, ge=0, description="sessions that wait for their clients to come back"
    )

    @field_validator("gateway_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value
