"""Makes an attempt at a prompt job: checks its text, recalls or asks, says what became of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog
from opentelemetry.trace import SpanKind

from parley import clock, ids
from parley.analyses import Charge
from parley.db.errors import is_transient
from parley.digests import content_digest
from parley.passes.code import SegmentText
from parley.passes.definition import PassDefinition
from parley.tracing import TRACING, Attributes
from services.analyzer import metrics
from services.analyzer.core.budget import Limits, limits_of
from services.analyzer.core.charges import refused, settled
from services.analyzer.core.circuit import BLAMELESS, CircuitState
from services.analyzer.core.jobs import Attempt, text_of
from services.analyzer.core.memo import memo_key
from services.analyzer.core.outcomes import (
    Attempting,
    Outcome,
    Result,
    abandoned,
    failed,
    has_lost_too_many,
    parked,
    raised,
    released,
    succeeded,
    unavailable,
)
from services.analyzer.model.contract import (
    Answer,
    InvalidAnswer,
    Model,
    ModelError,
    ModelMisconfigured,
    ModelUnavailable,
    NoProvider,
    PromptTooLarge,
    RenderedPrompt,
    Usage,
)
from services.analyzer.prompts.circuits import Circuits
from services.analyzer.prompts.together import JobsTogether
from services.analyzer.runner import DIGEST_MISMATCH, names, note_failure
from services.analyzer.store import BudgetSpent, LeaseLost, Reservation

log = structlog.get_logger(__name__)

# An answer and its repair, each within the pass's timeout, and their reservations.
CALLS_AT_MOST: Final = 2
GRACE: Final = timedelta(seconds=10)
# Budgets that were spent are looked at again and again by who reopens jobs.
NOW: Final = timedelta(0)
# A prompt of so much text is made within a millisecond; a thread would cost as much.
MOST_INLINE_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Asking:
    """What attempts need to know besides the job."""

    attempting: Attempting
    live_share: float


class Purse:
    """What the calls of one attempt have reserved: each is counted before it is made."""

    def __init__(
        self, jobs: JobsTogether, token: str, attempt: Attempt, worker_id: str, limits: Limits
    ) -> None:
        self._jobs = jobs
        self._token = token
        self._attempt = attempt
        self._worker_id = worker_id
        self._limits = limits
        self.reserved: list[Charge] = []
        self.used = Usage()

    async def reserve(self, estimated_micro_usd: int, used: Usage) -> None:
        """Count a call; raises LeaseLost or BudgetSpent, and then it is not to be made.

        Those before it took `used`: that is settled first, so that it is known whatever comes,
        and what they cost less than was reserved is there for this one.
        """
        await self._settle(used)
        job = self._attempt.job
        charge = Charge(
            ids.random_id(),
            clock.now().date(),
            job.lane,
            job.backfill_run_id,
            estimated_micro_usd,
        )
        of_attempt = self._token, self._attempt, charge, self._limits, self._worker_id
        refusal = await self._jobs.reserve(Reservation(*of_attempt, TRACING.headers()))
        if refusal is not None:
            raise refusal
        self.reserved.append(charge)
        metrics.CALLS.labels(job.pass_name).inc()

    async def _settle(self, used: Usage) -> None:
        if self.reserved:
            paid = settled(self.reserved, used.cost_micro_usd)
            await self._jobs.pay(self._attempt.job, paid)
            self.reserved, self.used = list(paid), used


@dataclass(frozen=True, slots=True)
class Question:
    """A job whose text is there and was not asked about before."""

    attempt: Attempt
    definition: PassDefinition
    text: SegmentText
    content_digest: bytes


class Asker:
    """Makes attempts at jobs whose passes are prompts."""

    def __init__(
        self, jobs: JobsTogether, model: Model, circuits: Circuits, asking: Asking
    ) -> None:
        self._jobs = jobs
        self._model = model
        self._circuits = circuits
        self._asking = asking
        self._rules = asking.attempting

    async def prepare(self, attempt: Attempt, definition: PassDefinition) -> Question | Outcome:
        """What to ask about a job; or what becomes of it with nothing asked."""
        members = await self._jobs.load(attempt.job.segment)
        text = text_of(attempt.job.segment, members)
        if text is None:
            log.error("digest_mismatch", **names(attempt.job))
            return parked(attempt, DIGEST_MISMATCH)
        if has_lost_too_many(attempt):
            log.error("job_lost_its_workers", **names(attempt.job))
            return abandoned(attempt, self._rules, clock.now())
        digest = content_digest(text.messages)
        recalled = await self._recall(attempt, definition, digest)
        return recalled or Question(attempt, definition, text, digest)

    async def _recall(
        self, attempt: Attempt, definition: PassDefinition, digest: bytes
    ) -> Outcome | None:
        """The verdict that the same text had under the same fingerprint: it is paid for."""
        tenant_id = attempt.job.segment.tenant_id
        key = memo_key(tenant_id, digest, definition.fingerprint)
        known = await self._jobs.recall(tenant_id, key)
        if known is None:
            return None
        metrics.MEMO_HITS.labels(definition.name).inc()
        result = Result(
            definition, known.output_json, known.model, known.prompt_digest, is_from_memo=True
        )
        return succeeded(attempt, result, digest, self._rules, clock.now())

    async def ask(self, token: str, question: Question) -> Outcome | None:
        """What becomes of the job; None where the claim was lost, and nothing more is to be done.

        Raises what the database raises: then the job is claimed again when its lease is out.
        """
        attempt, definition, digest = question.attempt, question.definition, question.content_digest
        limits = limits_of(definition.daily_budget_micro_usd, self._asking.live_share)
        purse = Purse(self._jobs, token, attempt, self._rules.worker_id, limits)
        estimated = 0
        try:
            prompt = await self._render(definition, question.text)
            estimated = self._model.estimate_micro_usd(definition, prompt)
            answer = await self._answer(definition, purse, prompt, estimated)
        except LeaseLost:
            return None
        except BudgetSpent as spent:
            # Room for one call alone would lead here again, after another first answer.
            needed = estimated + purse.used.cost_micro_usd
            outcome = parked(attempt, spent.reason, needed)
            return replace(outcome, due_in=NOW, charges=tuple(purse.reserved))
        except ModelError as error:
            return self._refused(question, purse.reserved, error)
        except Exception as error:
            if is_transient(error):
                raise
            note_failure(attempt.job, error)
            reason = type(error).__name__
            charges = purse.reserved
            return raised(attempt, definition, reason, digest, self._rules, clock.now(), charges)
        return self._answered(question, purse.reserved, prompt, answer)

    async def _render(self, definition: PassDefinition, text: SegmentText) -> RenderedPrompt:
        """The prompt; a long text is none that others have to wait for."""
        if sum(len(one.content.text) for one in text.messages) <= MOST_INLINE_CHARACTERS:
            return self._model.render(definition, text)
        return await asyncio.to_thread(self._model.render, definition, text)

    async def _answer(
        self,
        definition: PassDefinition,
        purse: Purse,
        prompt: RenderedPrompt,
        estimated_micro_usd: int,
    ) -> Answer:
        async def before_call(used: Usage) -> None:
            await purse.reserve(estimated_micro_usd, used)

        longest = CALLS_AT_MOST * definition.timeout + GRACE
        asked: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": definition.model,
        }
        with TRACING.span(f"chat {definition.model}", SpanKind.CLIENT, asked) as span:
            try:
                async with asyncio.timeout(longest.total_seconds()):
                    answer = await self._model.ask(definition, prompt, before_call)
            except TimeoutError as error:
                raise ModelUnavailable("timeout", usage=purse.used) from error
            span.set_attribute("gen_ai.response.model", answer.model)
            span.set_attribute("gen_ai.usage.input_tokens", answer.usage.input_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", answer.usage.output_tokens)
            return answer

    def _answered(
        self,
        question: Question,
        reserved: Sequence[Charge],
        prompt: RenderedPrompt,
        answer: Answer,
    ) -> Outcome:
        self._circuits.answered(question.definition.model)
        usage = answer.usage
        result = Result(
            question.definition,
            answer.output_json,
            answer.model,
            prompt.digest,
            usage.input_tokens,
            usage.output_tokens,
            settled(reserved, usage.cost_micro_usd),
            answer.latency,
        )
        attempt, digest = question.attempt, question.content_digest
        return succeeded(attempt, result, digest, self._rules, clock.now())

    def _refused(
        self, question: Question, reserved: Sequence[Charge], error: ModelError
    ) -> Outcome:
        attempt, model = question.attempt, question.definition.model
        charges = self._charges(reserved, error)
        if isinstance(error, NoProvider):
            self._circuits.undecided(model)
            return parked(attempt, "no_provider")
        if isinstance(error, ModelUnavailable):
            return self._unavailable(question, error, charges)
        if reserved:
            self._circuits.answered(model)
        if isinstance(error, ModelMisconfigured):
            log.error("pass_suspended", **names(attempt.job), reason=error.reason)
            return replace(released(attempt, error.reason, NOW, charges), suspends=error.reason)
        return self._failed(question, error, charges)

    def _unavailable(
        self, question: Question, error: ModelUnavailable, charges: Sequence[Charge]
    ) -> Outcome:
        attempt, definition = question.attempt, question.definition
        blamed = None if error.reason in BLAMELESS else attempt.job.segment.segment_id
        rest = self._circuits.failed(definition.model, error.retry_after, blamed)
        log.info("model_unavailable", **names(attempt.job), reason=error.reason)
        return unavailable(
            *(attempt, definition, error.reason, rest, question.content_digest, self._rules),
            clock.now(),
            charges,
            is_provider_down=self._circuits.state(definition.model) is not CircuitState.CLOSED,
        )

    def _charges(self, reserved: Sequence[Charge], error: ModelError) -> tuple[Charge, ...]:
        if isinstance(error, InvalidAnswer):
            return settled(reserved, error.usage.cost_micro_usd)
        return refused(reserved, error.usage.cost_micro_usd, error.reason)

    def _failed(self, question: Question, error: ModelError, charges: Sequence[Charge]) -> Outcome:
        attempt, digest, now = question.attempt, question.content_digest, clock.now()
        if isinstance(error, InvalidAnswer):
            return failed(
                *(attempt, error.reason, digest, self._rules, now),
                charges=charges,
                raw_answer=error.raw,
            )
        if isinstance(error, PromptTooLarge):
            return failed(attempt, error.reason, digest, self._rules, now, charges=charges)
        return raised(attempt, question.definition, error.reason, digest, self._rules, now, charges)
