"""Runs what was found, and tells what a person wants to know of it before many are run."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from parley import clock
from parley.errors import UserError
from parley.passes.code import CodePass, SegmentText, to_json
from parley.passes.definition import PassDefinition
from parley.passes.schemas import InvalidOutput, OutputSchema
from services.analyzer.model.chat import ChatModel
from services.analyzer.model.contract import InvalidAnswer, ModelError, RenderedPrompt, Usage
from services.analyzer.trial.loading import Tried


@dataclass(slots=True)
class Report:
    """What a trial tells; None is what there was not, or what nobody knows, such as a price."""

    pass_name: str
    pass_version: int
    kind: str
    fingerprint: str
    tenant: str
    conversation: str
    segment: str
    revision: int
    is_retracted: bool
    messages: int
    prompt: dict[str, Any] | None = None
    model: str | None = None
    output: Any = None
    failure: str | None = None
    raw_answer: str | None = None
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As another process is told it."""
        return asdict(self)


async def try_it(tried: Tried, model: ChatModel, *, is_prompt_only: bool) -> Report:
    """Run it; what a pass or a model does wrong is told, what cannot be tried raises UserError."""
    report = _about(tried)
    if tried.code is not None:
        if is_prompt_only:
            raise UserError(
                f"{tried.definition.name} is code and has no prompt.", "Leave out --prompt-only."
            )
        _run(report, tried.code, tried.text)
    else:
        await _ask(report, tried, model, is_prompt_only=is_prompt_only)
    return report


def _about(tried: Tried) -> Report:
    definition, segment = tried.definition, tried.segment
    return Report(
        pass_name=definition.name,
        pass_version=definition.version,
        kind=definition.kind.value,
        fingerprint=definition.fingerprint,
        tenant=segment.tenant_id,
        conversation=segment.conversation_id,
        segment=segment.segment_id,
        revision=segment.revision,
        is_retracted=tried.is_retracted,
        messages=len(tried.text.messages),
    )


def _run(report: Report, code: CodePass, text: SegmentText) -> None:
    began = clock.monotonic()
    try:
        output_json = to_json(code.run(text))
        OutputSchema(code.definition.output_schema).check(output_json)
        report.output = json.loads(output_json)
    except InvalidOutput as error:
        report.failure = f"{error.reason}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever a pass raises is what was to be found out
        report.failure = f"{type(error).__name__}: {error}"
    report.seconds = clock.monotonic() - began


async def _ask(report: Report, tried: Tried, model: ChatModel, *, is_prompt_only: bool) -> None:
    definition = tried.definition
    report.model = definition.model
    try:
        prompt = model.render(definition, tried.text)
        report.prompt = _prompt(definition, prompt, model)
        if not is_prompt_only:
            await _call(report, definition, prompt, model)
    except ModelError as error:
        report.failure = error.reason
        if error.__cause__ is not None:
            # Of the definition's making, such as a template that cannot be filled.
            report.failure += f": {error.__cause__}"
        if isinstance(error, InvalidAnswer):
            report.raw_answer = error.raw
        _count(report, error.usage, is_priced=model.knows_price(definition.model))


async def _call(
    report: Report, definition: PassDefinition, prompt: RenderedPrompt, model: ChatModel
) -> None:
    began = clock.monotonic()
    try:
        answer = await model.ask(definition, prompt, _count_nothing)
    finally:
        report.seconds = clock.monotonic() - began
    report.output = json.loads(answer.output_json)
    report.model = answer.model
    _count(report, answer.usage, is_priced=model.knows_price(definition.model))


async def _count_nothing(_: Usage) -> None:
    """A trial is of no job and of no budget."""


def _prompt(definition: PassDefinition, prompt: RenderedPrompt, model: ChatModel) -> dict[str, Any]:
    most = model.estimate_micro_usd(definition, prompt)
    return {
        "system": prompt.system,
        "user": prompt.user,
        "sha256": prompt.digest.hex(),
        "most_usd": most / 1_000_000 if model.knows_price(definition.model) else None,
    }


def _count(report: Report, usage: Usage, *, is_priced: bool) -> None:
    report.calls = usage.call_count
    report.input_tokens, report.output_tokens = usage.input_tokens, usage.output_tokens
    if usage.call_count and is_priced:
        report.cost_usd = usage.cost_micro_usd / 1_000_000
