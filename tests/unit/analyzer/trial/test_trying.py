"""A trial tells what came of a pass, whatever that is, and what it cost as far as that is known."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import orjson
import pytest

from parley.errors import UserError
from parley.passes.code import CodePass, SegmentText
from parley.passes.definition import PassDefinition
from parley.trials.request import TrialRequest
from services.analyzer.trial.loading import Tried
from services.analyzer.trial.trying import Report, try_it
from tests.support.processes import ROOT
from tests.support.provider import Answers, Refuses, Says
from tests.unit.analyzer.model.asking import DEFINITION, GOOD, Asking, asking
from tests.unit.analyzer.samples import code_pass, segment, text, user

TEXT = text(user(1, "hello"), user(2, "hello?"))


def tried(definition: PassDefinition = DEFINITION, code: CodePass | None = None) -> Tried:
    return Tried(definition, code, segment(TEXT.messages), TEXT, False)


async def reported(asks: Asking, definition: PassDefinition = DEFINITION) -> Report:
    return await try_it(tried(definition), asks.model, is_prompt_only=False)


async def test_a_prompt_is_told_with_answer_tokens_and_cost() -> None:
    async with asking() as asks:
        asks.provider.acts(Answers(GOOD))
        report = await reported(asks)
        assert report.prompt is not None
        sent = [(role, report.prompt[role]) for role in ("system", "user")]
        assert sent == asks.provider.asked[0].turns
    assert report.output == GOOD
    assert (report.calls, report.input_tokens, report.output_tokens) == (1, 11, 7)
    assert report.cost_usd == pytest.approx(92e-6)
    assert report.failure is None


async def test_a_price_that_nobody_knows_is_told_as_unknown() -> None:
    async with asking(analyzer_model_prices={}) as asks:
        asks.provider.acts(Answers(GOOD))
        report = await reported(asks)
    assert report.prompt is not None
    assert (report.cost_usd, report.prompt["most_usd"]) == (None, None)
    assert report.input_tokens == 11


async def test_a_failure_is_told_with_what_it_cost() -> None:
    async with asking() as asks:
        asks.provider.acts(Says("no"), Says("never"))
        report = await reported(asks)
        assert (report.failure, report.raw_answer, report.calls) == ("not_json", "never", 2)
        asks.provider.acts(Refuses(401))
        report = await reported(asks)
        assert (report.failure, report.output, report.cost_usd) == ("bad_key", None, 0.0)


async def test_a_definition_that_cannot_be_asked_says_why() -> None:
    async with asking() as asks:
        wrong = replace(DEFINITION, parameters={"transcript_bytes": 1})
        report = await reported(asks, wrong)
        assert report.failure is not None
        assert "transcript_bytes is a whole number from 2,000" in report.failure
        assert asks.provider.call_count == 0


async def test_code_is_run_and_what_it_raises_is_told() -> None:
    def fails(_: SegmentText) -> Any:
        raise LookupError("no such word")

    async with asking() as asks:
        endings: list[tuple[Any, Any, str | None]] = [
            (lambda one: {"count": len(one.messages)}, {"count": 2}, None),
            (fails, None, "LookupError: no such word"),
            (lambda _: [1], None, "invalid_output: not as its schema says at type"),
        ]
        for run, output, failure in endings:
            code = code_pass("mine", run)
            report = await try_it(tried(code.definition, code), asks.model, is_prompt_only=False)
            assert (report.output, report.failure) == (output, failure)
        with pytest.raises(UserError, match="has no prompt"):
            await try_it(tried(code.definition, code), asks.model, is_prompt_only=True)
        assert asks.provider.call_count == 0


async def test_the_process_says_in_one_line_what_is_wrong() -> None:
    def run() -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "services.analyzer.trial"],
            input=orjson.dumps(TrialRequest("summary", "s", "default").to_json()),
            env={"PYTHONPATH": str(ROOT), "DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"},
            capture_output=True,
            cwd=ROOT,
            check=False,
        )

    ended = await asyncio.to_thread(run)
    assert ended.returncode == 1
    told = orjson.loads(ended.stdout)
    assert told["problem"].startswith("Cannot use the database")
    assert b"secret" not in ended.stdout + ended.stderr
