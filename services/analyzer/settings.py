"""The analyzer's settings."""

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator

from parley.settings import Span
from services.analyzer.webhooks.settings import WebhookSettings

Price = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class AnalyzerSettings(WebhookSettings):
    """What only the analyzer needs to know."""

    analyzer_workers: int = Field(
        default=3, ge=1, le=64, description="claims that are worked on at the same time"
    )
    analyzer_live_workers: int = Field(
        default=1,
        ge=0,
        description="of these so many are kept for live jobs, but for one where there is only one",
    )
    analyzer_claim_jobs: int = Field(
        default=64, ge=1, le=1_000, description="most jobs of one claim"
    )
    analyzer_claim_backfill_jobs: int = Field(
        default=16,
        ge=1,
        le=1_000,
        description="the same of a backfill: a live job may have to wait for them",
    )
    analyzer_claim_messages: int = Field(
        default=10_000, ge=1, description="most messages of one claim, unless one job has more"
    )
    analyzer_lease: Span = Field(
        default=timedelta(seconds=15),
        ge=timedelta(seconds=1),
        description="silence after which a worker's jobs are given to another",
    )
    analyzer_rest: Span = Field(
        default=timedelta(seconds=1),
        ge=timedelta(0),
        description="wait after a job's first failure; it doubles with each",
    )
    analyzer_calls: int = Field(
        default=16, ge=1, le=1_000, description="calls of models that are under way at one time"
    )
    analyzer_live_calls: int = Field(
        default=4, ge=0, description="of these so many are kept for live jobs"
    )
    analyzer_live_share: float = Field(
        default=0.5, ge=0, le=1, description="of a daily budget so much is kept for live jobs"
    )
    analyzer_call_rest: Span = Field(
        default=timedelta(seconds=1),
        ge=timedelta(0),
        description="longest wait after a call's first failure; it doubles with each in a row",
    )
    analyzer_call_longest_rest: Span = Field(
        default=timedelta(minutes=1), ge=timedelta(0), description="where that ends"
    )
    analyzer_circuit_failures: int = Field(
        default=5, ge=1, description="failures in a row after which a model is left alone"
    )
    analyzer_circuit_rest: Span = Field(
        default=timedelta(seconds=5),
        ge=timedelta(0),
        description="for how long, the first time; it doubles until it answers",
    )
    analyzer_circuit_longest_rest: Span = Field(
        default=timedelta(minutes=5), ge=timedelta(0), description="and at most"
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"),
        description="key of the endpoint that prompt passes ask; without it and OPENAI_BASE_URL "
        "their jobs are parked",
    )
    openai_base_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"),
        description="where an OpenAI-compatible chat endpoint is; OpenAI's where only a key is set",
    )
    analyzer_model_structure: Literal["json_schema", "json_object", "none"] = Field(
        default="json_schema",
        description="how the endpoint is told to answer in JSON: by the pass's schema, as any "
        "object, or by the prompt alone; what it takes is for its manual to say",
    )
    analyzer_model_token_limit: Literal["max_completion_tokens", "max_tokens"] = Field(
        default="max_completion_tokens",
        description="what the endpoint calls the bound of an answer in tokens",
    )
    analyzer_model_prices: dict[str, tuple[Price, Price]] = Field(
        default_factory=dict,
        description="JSON: US dollars per million tokens read and written, by model, such as "
        '{"my-model": [0.15, 0.6]}; before the prices that are known of public models',
    )
    analyzer_model_connect_timeout: Span = Field(
        default=timedelta(seconds=5),
        gt=timedelta(0),
        description="how long a connection to the endpoint may take to come about",
    )

    @property
    def has_provider(self) -> bool:
        """Whether there is anybody whom prompts can be asked of."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @field_validator("openai_api_key", mode="before")
    @classmethod
    def _empty_key_is_none(cls, value: object) -> object:
        # As compose files and shells pass on a variable that nobody has set.
        return value or None

    @field_validator("openai_api_key")
    @classmethod
    def _key_fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        key = "" if value is None else value.get_secret_value()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError("must be of printable ASCII characters, without spaces")
        return value

    @field_validator("openai_base_url", mode="before")
    @classmethod
    def _empty_url_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("openai_base_url")
    @classmethod
    def _names_a_host(cls, value: str | None) -> str | None:
        # urlsplit itself raises ValueError for what is no URL at all.
        if value is not None and not urlsplit(value).hostname:
            raise ValueError("must name a host, as https://models.example.com/v1")
        return value
