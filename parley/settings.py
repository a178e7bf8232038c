"""Settings from the environment: read once, frozen, and refused by name when they are wrong."""

import json
import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from parley.codec.record import InvalidRecord
from parley.codec.validity import check_policy
from parley.errors import UserError
from parley.events import Policy
from parley.topics import Topic

PREFIX: Final = "PARLEY_"
# Settings of one service begin with its name, so that all services can share one environment.
SERVICES: Final = ("GATEWAY", "PERSISTER", "SEALER", "ANALYZER", "ACTIVITY")
# Read by the local stack and the tests, before any service starts; or by the gateway alone.
OUTSIDE: Final = (
    "PARLEY_TEST_ENDPOINTS",
    "PARLEY_JAVA",
    "PARLEY_HYPOTHESIS_EXAMPLES",
    "PARLEY_HYPOTHESIS_SEED",
    "PARLEY_TEST_FULL",
    "PARLEY_TEST_STACK",
    "PARLEY_TEST_STATE_DIR",
    "PARLEY_TEST_IMPORT_FILE",
)
DEFAULT_STATE_DIR: Final = Path(".parley")
_LEAST_KEY_CHARS: Final = 32
_TOPIC_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,200}\Z")


def _seconds(value: object) -> object:
    """A bare number, in the environment always a text, is seconds."""
    if isinstance(value, str):
        try:
            return timedelta(seconds=float(value))
        except (ValueError, OverflowError):
            return value
    return value


Span = Annotated[timedelta, BeforeValidator(_seconds)]


class ChannelPolicy(BaseSettings):
    """A gap policy for one channel; what it leaves out is as in the default policy."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="PARLEY_NO_SUCH_")

    idle_gap: Span | None = None
    grace: Span | None = None
    seal_on_end: bool | None = None
    max_duration: Span | None = None
    max_messages: int | None = None


class Settings(BaseSettings):
    """What every service and command needs to know. Durations read as `PT90M` or seconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True
    )

    kafka_bootstrap: str = Field(
        default="127.0.0.1:9092", description="host:port of the Kafka brokers, comma-separated"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how clients talk with the brokers"
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="SCRAM-SHA-512", description="how a client proves who it is, with SASL"
    )
    kafka_username: str | None = Field(default=None, description="the client's name, with SASL")
    kafka_password: SecretStr | None = Field(default=None, description="its password")
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM: authorities to trust instead of the machine's, with SSL"
    )
    kafka_certificate_file: Path | None = Field(
        default=None, description="PEM: the client's own certificate, where brokers ask for one"
    )
    kafka_key_file: Path | None = Field(default=None, description="PEM: the certificate's key")
    database_url: SecretStr = Field(
        default=SecretStr("postgresql://parley@127.0.0.1:5432/parley"),
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="where PostgreSQL is, as postgresql://user:password@host:port/name",
    )
    log_level: str = Field(
        default="INFO",
        validation_alias=AliasChoices("LOG_LEVEL", "log_level"),
        description="DEBUG, INFO, WARNING or ERROR",
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="json for machines, text for people"
    )
    tracing: bool = Field(
        default=False,
        description="send OpenTelemetry traces, to where OTEL_EXPORTER_OTLP_ENDPOINT says",
    )
    http_host: str = Field(default="127.0.0.1", description="address that the service listens on")
    http_port: int = Field(default=8080, ge=0, le=65535, description="0 picks a free port")
    state_dir: Path = Field(default=DEFAULT_STATE_DIR, description="the local stack's folder")
    topic_prefix: str = Field(default="", description="put before every topic's name")
    topic_names: dict[str, str] = Field(
        default_factory=dict, description="JSON: topics that took another's place, by its name"
    )
    partitions: int = Field(default=4, ge=1, le=10_000, description="partitions of a new topic")
    replication_factor: int = Field(default=1, ge=1, le=9, description="copies of each record")
    session_timeout: Span = Field(
        default=timedelta(seconds=10), description="silence after which Kafka evicts a consumer"
    )
    idle_gap: Span = Field(
        default=timedelta(minutes=90), description="the longest silence within a segment"
    )
    grace: Span = Field(
        default=timedelta(seconds=60), description="how long a closed window waits for stragglers"
    )
    channel_policies: dict[str, ChannelPolicy] = Field(
        default_factory=dict, description="JSON: gap policies that differ, by channel"
    )
    webhook_key: SecretStr | None = Field(
        default=None, description="the key that the secrets of all webhooks are derived from"
    )
    webhook_log_kept: Span = Field(
        default=timedelta(days=30),
        ge=timedelta(minutes=1),
        description="how long it can be looked up what was sent to webhooks, and each request",
    )

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("database_url")
    @classmethod
    def _postgresql_url(cls, value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in ("postgresql", "postgres"):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("webhook_key", mode="before")
    @classmethod
    def _empty_key_is_none(cls, value: object) -> object:
        # As compose files and shells pass on a variable that nobody has set.
        return value or None

    @field_validator("webhook_key")
    @classmethod
    def _long_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _LEAST_KEY_CHARS:
            raise ValueError(f"must have at least {_LEAST_KEY_CHARS} characters, random ones")
        return value

    @field_validator("topic_names")
    @classmethod
    def _topic_names(cls, value: dict[str, str]) -> dict[str, str]:
        for topic, name in value.items():
            if topic not in set(Topic):
                raise ValueError(f"{topic} is no topic of Parley")
            if not _TOPIC_NAME.match(name):
                raise ValueError(f"{name} is no name that Kafka allows")
        return value

    @field_validator("idle_gap")
    @classmethod
    def _positive(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("must be longer than 0")
        return value

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if self.kafka_has_login and not (self.kafka_username and self.kafka_password):
            raise ValueError(
                f"{self.kafka_security_protocol} needs PARLEY_KAFKA_USERNAME and "
                "PARLEY_KAFKA_PASSWORD"
            )
        if not self.kafka_has_login and (self.kafka_username or self.kafka_password):
            raise ValueError(
                f"a name or a password is set, which {self.kafka_security_protocol} does not send"
            )
        return self

    @property
    def kafka_is_encrypted(self) -> bool:
        """Whether TLS is spoken with the brokers."""
        return self.kafka_security_protocol.endswith("SSL")

    @property
    def kafka_has_login(self) -> bool:
        """Whether clients tell the brokers who they are."""
        return self.kafka_security_protocol.startswith("SASL")

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment, then the running local stack; raises UserError by name."""
        refuse_unknown(cls)
        try:
            settings = cls(**{**local_stack(cls), **overrides})
        except ValidationError as error:
            raise _explain(error) from error
        _check_policies(settings)
        return settings

    def topic(self, topic: Topic) -> str:
        """The topic's full name here."""
        return f"{self.topic_prefix}{self.topic_names.get(topic, topic)}"

    def gap_policies(self) -> dict[str, Policy]:
        """The gap policies by channel, the default one under "": where no operator set another."""
        default = Policy(idle_gap=self.idle_gap, grace=self.grace)
        own = {
            channel: replace(
                default, policy_id=f"channel:{channel}", **policy.model_dump(exclude_none=True)
            )
            for channel, policy in self.channel_policies.items()
        }
        return {**own, "": default}


def refuse_unknown(settings: type[Settings]) -> None:
    """Raise UserError by its name for a variable that is a setting of nobody."""
    known = {variable_of(settings, name) for name in settings.model_fields} | set(OUTSIDE)
    # A service knows its own settings; the other services' are theirs to check.
    others = tuple(
        prefix
        for prefix in (f"{PREFIX}{service}_" for service in SERVICES)
        if not any(name.startswith(prefix) for name in known)
    )
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith(others):
            raise UserError(
                f"{name} is not a setting of Parley.",
                f"Unset it, or use one of: {', '.join(sorted(known - set(OUTSIDE)))}.",
            )


def _check_policies(settings: Settings) -> None:
    """By the rule of the log: what it refuses would make every event of a channel invalid."""
    for channel, policy in settings.gap_policies().items():
        name = "PARLEY_CHANNEL_POLICIES" if channel else "PARLEY_IDLE_GAP or PARLEY_GRACE"
        where = f" in channel {channel}" if channel else ""
        try:
            check_policy(policy)
        except InvalidRecord as error:
            problem = f"{name} is wrong{where}: {error.detail}."
            raise UserError(problem, "Correct it or unset it.") from error


def variable_of(settings: type[Settings], name: str) -> str:
    """The variable of a field: its own name for those that everybody uses, as DATABASE_URL."""
    alias = settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{PREFIX}{name.upper()}"


def kafka_variables(settings: Settings) -> dict[str, str]:
    """The variables by which another process comes to the same Kafka as the same client."""
    names = [name for name in Settings.model_fields if name.startswith("kafka_")]
    values = {name: getattr(settings, name) for name in names}
    return {
        f"{PREFIX}{name.upper()}": (
            value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        )
        for name, value in values.items()
        if value is not None
    }


def source_of(settings: type[Settings], name: str) -> str:
    """From where a field has its value: `environment`, `local stack` or `default`."""
    if variable_of(settings, name) in os.environ:
        return "environment"
    return "local stack" if name in local_stack(settings) else "default"


def local_stack(settings: type[Settings]) -> dict[str, Any]:
    """Where the stack of `parley local up` is, for what the environment leaves open."""
    path = local_stack_file()
    if not path.is_file():
        return {}
    state = json.loads(path.read_text())
    names = {"PARLEY_KAFKA_BOOTSTRAP": "kafka_bootstrap", "DATABASE_URL": "database_url"}
    bootstrap = os.environ.get("PARLEY_KAFKA_BOOTSTRAP", state.get("kafka_bootstrap"))
    if bootstrap == state.get("kafka_bootstrap"):
        # They mean nothing to another broker: its topics' names, and what its services were told.
        names["PARLEY_TOPIC_NAMES"] = "topic_names"
        names["PARLEY_CHANNEL_POLICIES"] = "channel_policies"
    return {
        field: state[field]
        for variable, field in names.items()
        if variable not in os.environ and field in state and field in settings.model_fields
    }


def local_stack_file() -> Path:
    """Where a stack of `parley local up` says where it is."""
    return Path(os.environ.get("PARLEY_STATE_DIR", DEFAULT_STATE_DIR)) / "stack.json"


def _explain(error: ValidationError) -> UserError:
    first = error.errors()[0]
    # What several settings say together is said of the one that decides.
    field = str(first["loc"][0]) if first["loc"] else "KAFKA_SECURITY_PROTOCOL"
    is_whole_name = field.isupper() and bool(first["loc"])
    name = field if is_whole_name else f"{PREFIX}{field.upper()}"
    problem = first["msg"].removeprefix("Value error, ")
    return UserError(f"{name} is wrong: {problem}.", "Correct it or unset it.")
