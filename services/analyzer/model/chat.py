"""A model behind an OpenAI-compatible endpoint: prompts in, valid outputs or named failures out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Final

import structlog

from parley import clock
from parley.passes.code import SegmentText
from parley.passes.definition import PassDefinition
from parley.passes.prompting.parameters import InvalidParameters, InvalidPrompt
from parley.passes.prompting.prompts import prompt_text
from services.analyzer.model import metrics
from services.analyzer.model.contract import (
    Answer,
    BeforeCall,
    InvalidAnswer,
    ModelError,
    ModelMisconfigured,
    NoProvider,
    RenderedPrompt,
    Usage,
)
from services.analyzer.model.endpoint import Completion, Endpoint
from services.analyzer.model.outputs import (
    MAX_RAW_CHARACTERS,
    InvalidSchema,
    OutputCheck,
    UnfitOutput,
)
from services.analyzer.model.prices import Prices, Tokens
from services.analyzer.model.requests import (
    Message,
    body_of,
    first_messages,
    most_tokens,
    repair_messages,
    tokens_at_most,
)
from services.analyzer.settings import AnalyzerSettings

log = structlog.get_logger(__name__)

OPENAI_URL: Final = "https://api.openai.com/v1"
_CUT_OFF: Final = "it was cut off because it was too long; answer more briefly"

Call = Callable[[list[Message], Usage], Awaitable[tuple[Completion, Usage]]]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A completion as an output; or else why it is none, and what a model may be told of it."""

    output_json: str = ""
    reason: str = ""
    problem: str = ""


class ChatModel:
    """The models of one endpoint; without one, prompts can be rendered and nothing asked."""

    def __init__(self, settings: AnalyzerSettings) -> None:
        key, url = settings.openai_api_key, settings.openai_base_url
        base_url = url or OPENAI_URL
        self._structure = settings.analyzer_model_structure
        self._token_limit = settings.analyzer_model_token_limit
        self._prices = Prices(settings.analyzer_model_prices, base_url)
        self._noted: set[str] = set()
        self._endpoint: Endpoint | None = None
        if key is not None or url is not None:
            secret = "" if key is None else key.get_secret_value()
            connect_timeout_s = settings.analyzer_model_connect_timeout.total_seconds()
            self._endpoint = Endpoint(base_url, secret, connect_timeout_s)

    def knows_price(self, model: str) -> bool:
        """Whether costs and budgets of the model mean something; otherwise they count as 0."""
        return self._prices.knows(model)

    def render(self, definition: PassDefinition, text: SegmentText) -> RenderedPrompt:
        """The prompt for a segment; raises ModelMisconfigured where there is none to be used."""
        tells_schema = self._structure != "json_schema"
        try:
            prompt = prompt_text(definition, text, tells_schema=tells_schema)
        except InvalidParameters as error:
            raise ModelMisconfigured("refused_parameters") from error
        except InvalidPrompt as error:
            raise ModelMisconfigured("bad_prompt") from error
        return RenderedPrompt(prompt.system, prompt.user, prompt_digest(*prompt))

    def estimate_micro_usd(self, definition: PassDefinition, prompt: RenderedPrompt) -> int:
        """What a call may cost at most; 0 for a model without a known price, which is logged."""
        self._note_price(definition.model)
        try:
            return self._prices.micro_usd(definition.model, most_tokens(definition, prompt))
        except InvalidParameters as error:
            raise ModelMisconfigured("refused_parameters") from error

    async def ask(
        self,
        definition: PassDefinition,
        prompt: RenderedPrompt,
        before_call: BeforeCall,
    ) -> Answer:
        """Call the model, once more if its output is invalid; raises ModelError."""
        endpoint, check = self._ready(definition)
        call = partial(self._call, endpoint, definition, before_call)
        began = clock.monotonic()
        completion, usage = await call(first_messages(prompt), Usage())
        judged = _judge(check, completion)
        if judged.problem:
            messages = repair_messages(prompt, completion.text, judged.problem)
            completion, usage = await _again(call, messages, usage)
            judged = _judge(check, completion)
        if judged.reason:
            raw = completion.text or completion.refusal
            raise InvalidAnswer(judged.reason, usage, raw[:MAX_RAW_CHARACTERS])
        latency = timedelta(seconds=clock.monotonic() - began)
        return Answer(judged.output_json, completion.model or definition.model, usage, latency)

    async def close(self) -> None:
        """Close the connections to the endpoint."""
        if self._endpoint is not None:
            await self._endpoint.close()

    def _ready(self, definition: PassDefinition) -> tuple[Endpoint, OutputCheck]:
        """What can be known to be wrong before anything is asked."""
        if self._endpoint is None:
            raise NoProvider("no_provider")
        if not definition.model:
            raise ModelMisconfigured("no_model")
        try:
            body_of(definition, [], self._structure, self._token_limit)
            return self._endpoint, OutputCheck(definition.output_schema)
        except InvalidParameters as error:
            raise ModelMisconfigured("refused_parameters") from error
        except InvalidSchema as error:
            raise ModelMisconfigured("bad_schema") from error

    async def _call(
        self,
        endpoint: Endpoint,
        definition: PassDefinition,
        before_call: BeforeCall,
        messages: list[Message],
        used: Usage,
    ) -> tuple[Completion, Usage]:
        await before_call(used)
        body = body_of(definition, messages, self._structure, self._token_limit)
        began = clock.monotonic()
        try:
            completion = await endpoint.complete(body, definition.timeout.total_seconds())
        except ModelError as error:
            metrics.CALLS.labels(error.reason).inc()
            raise
        finally:
            metrics.SECONDS.observe(clock.monotonic() - began)
        metrics.CALLS.labels("answered").inc()
        tokens = completion.tokens or tokens_at_most(messages, completion.text)
        return completion, self._usage(definition.model, tokens)

    def _usage(self, model: str, tokens: Tokens) -> Usage:
        cost = self._prices.micro_usd(model, tokens)
        metrics.TOKENS.labels("input").inc(tokens.input)
        metrics.TOKENS.labels("output").inc(tokens.output)
        metrics.COST.inc(cost / 1_000_000)
        return Usage(1, tokens.input, tokens.output, cost)

    def _note_price(self, model: str) -> None:
        if model in self._noted:
            return
        self._noted.add(model)
        if not self._prices.knows(model):
            log.warning("model_price_unknown", model=model, setting="PARLEY_ANALYZER_MODEL_PRICES")


def plus(one: Usage, other: Usage) -> Usage:
    """What two took together."""
    return Usage(
        one.call_count + other.call_count,
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cost_micro_usd + other.cost_micro_usd,
    )


def prompt_digest(system: str, user: str) -> bytes:
    """sha256 over both texts, each preceded by its length in bytes."""
    digest = sha256()
    for text in (system.encode(), user.encode()):
        digest.update(f"{len(text)}:".encode() + text)
    return digest.digest()


async def _again(call: Call, messages: list[Message], used: Usage) -> tuple[Completion, Usage]:
    """One more call, and what all calls took, which a failure says as well."""
    try:
        completion, usage = await call(messages, used)
    except ModelError as error:
        error.usage = plus(used, error.usage)
        raise
    return completion, plus(used, usage)


def _judge(check: OutputCheck, completion: Completion) -> _Judged:
    if completion.finish_reason == "content_filter":
        return _Judged(reason="filtered")
    if completion.refusal and not completion.text:
        return _Judged(reason="refused")
    try:
        return _Judged(check.output_json(completion.text))
    except UnfitOutput as error:
        metrics.INVALID.labels(error.reason).inc()
        if completion.finish_reason == "length":
            return _Judged(reason="cut_off", problem=_CUT_OFF)
        return _Judged(reason=error.reason, problem=error.problem)
