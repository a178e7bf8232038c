"""The gateway's settings: what it believes, allows, and how long it waits."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from parley.event_time import MAX_AGE
from parley.settings import Settings, Span

# A browser's `Origin` header: a scheme and a host, with no path behind them.
_ORIGIN: Final = r"^https?://[^/\s]+$"
Origin = Annotated[str, Field(pattern=_ORIGIN)]
PositiveSpan = Annotated[Span, Field(gt=timedelta(0))]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS256"]


class GatewaySettings(Settings):
    """Settings named PARLEY_GATEWAY_…, beside those of every service."""

    gateway_tenant: str = Field(
        default="default",
        min_length=1,
        description="whose everything is that is written without access control",
    )
    gateway_access: Literal["off", "on"] = Field(
        default="off",
        description="on: everybody needs an API key or a token; off: this machine's programs only",
    )
    gateway_jwks_file: Path | None = Field(
        default=None,
        description="file of the public keys that tokens are signed with (a JSON Web Key Set), "
        "read again when it changes",
    )
    gateway_jwt_secret: SecretStr | None = Field(
        default=None, description="32 bytes or more, for tokens signed with HS256 only"
    )
    gateway_jwt_algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = Field(
        default=("RS256", "ES256", "EdDSA"),
        min_length=1,
        description="signatures that tokens may have, comma-separated",
    )
    gateway_jwt_audience: str = Field(
        default="", description="the `aud` of tokens for this gateway; needed for tokens"
    )
    gateway_jwt_issuer: str = Field(
        default="", description="the `iss` of tokens for this gateway; needed for tokens"
    )
    gateway_jwt_leeway: Span = Field(
        default=timedelta(seconds=5),
        ge=timedelta(0),
        le=timedelta(minutes=2),
        description="how far the clocks of those who sign tokens may differ",
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
    gateway_max_batch_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="the largest body of events:batch",
    )
    gateway_test_endpoints: bool = Field(
        default=False,
        validation_alias=AliasChoices("PARLEY_TEST_ENDPOINTS", "gateway_test_endpoints"),
        description="1: with the endpoints under /api/test, for trying things out",
    )
    gateway_max_in_flight: int = Field(
        default=64, ge=1, le=10_000, description="unacknowledged frames of one connection"
    )
    gateway_max_unacknowledged: int = Field(
        default=10_000, ge=1, le=1_000_000, description="unacknowledged events of the process"
    )
    gateway_max_unsent: int = Field(
        default=256, ge=16, le=100_000, description="frames that one slow reader may be behind"
    )
    gateway_max_unsent_chars: int = Field(
        default=1024 * 1024,
        ge=64 * 1024,
        le=256 * 1024 * 1024,
        description="characters that the frames may have which one slow reader is behind",
    )
    gateway_ring_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024 * 1024,
        description="memory for the newest part of the log, which serves returning clients",
    )
    gateway_max_left_rooms: int = Field(
        default=5_000, ge=0, description="conversations remembered after their last client left"
    )
    gateway_session_refresh: PositiveSpan = Field(
        default=timedelta(minutes=15), description="how often an open session is said to be open"
    )
    gateway_max_waiting_sessions: int = Field(
        default=10_000, ge=0, description="sessions that wait for their clients to come back"
    )
    gateway_rate_per_connection: float = Field(
        default=1_000, ge=0, le=1e6, description="frames per second of one connection; 0: any"
    )
    gateway_burst_per_connection: int = Field(
        default=2_000, ge=1, description="frames that one connection may send at once"
    )
    gateway_rate_per_user: float = Field(
        default=2_000,
        ge=0,
        le=1e6,
        description="frames and messages per second of one user; 0: any",
    )
    gateway_burst_per_user: int = Field(
        default=4_000, ge=1, description="frames and messages that one user may send at once"
    )
    gateway_max_connections: int = Field(
        default=10_000, ge=0, description="open connections of the process; 0: no limit"
    )
    gateway_max_connections_per_user: int = Field(
        default=100, ge=0, description="open connections of one user; 0: no limit"
    )
    gateway_max_connections_per_address: int = Field(
        default=1_000,
        ge=0,
        description="open connections from one address, or one IPv6 network of 64 bits; "
        "0: no limit, as behind a proxy that hides addresses",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"),
        description="key of the model that answers users; without it the answer is an offline one",
    )
    openai_base_url: str = Field(
        default="https://api.openai.com/v1",
        pattern=r"^https?://[^\s]+$",
        validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"),
        description="where an OpenAI-compatible chat endpoint is",
    )
    gateway_responder_model: str = Field(
        default="gpt-4o-mini", min_length=1, description="the model that answers users"
    )
    gateway_responder_timeout: PositiveSpan = Field(
        default=timedelta(seconds=20), description="how long an answer may take, retries included"
    )
    gateway_responder_system_prompt: str = Field(
        default="You are a friendly assistant in a conversation with a user. "
        "Answer briefly and plainly. Say so when you do not know something.",
        description="what the answering model is told before the conversation",
    )
    gateway_responder_history: int = Field(
        default=20, ge=1, le=1_000, description="turns of the conversation that the model is shown"
    )
    gateway_responder_max_tokens: int = Field(
        default=1_000, ge=1, le=100_000, description="the longest answer of the model, in tokens"
    )
    gateway_responder_max_concurrent: int = Field(
        default=32, ge=1, le=10_000, description="answers under way, past which it is `overloaded`"
    )

    @field_validator("gateway_jwt_algorithms", mode="before")
    @classmethod
    def _split_algorithms(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("gateway_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("openai_api_key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        # As compose files and shells pass on a variable that nobody has set.
        return value or None

    @field_validator("openai_base_url", mode="before")
    @classmethod
    def _empty_is_the_default(cls, value: object) -> object:
        return value or cls.model_fields["openai_base_url"].default
