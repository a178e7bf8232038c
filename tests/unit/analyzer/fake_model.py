"""A model that follows a test's script, by the contract that the real one keeps."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from parley.passes.code import SegmentText
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate
from services.analyzer.model.contract import (
    Answer,
    BeforeCall,
    ModelError,
    RenderedPrompt,
    Usage,
)

OUTPUT = '{"summary":"short"}'


def prompt_pass(name: str = "summary", **fields: object) -> PassDefinition:
    """A pass that asks a model."""
    whole: dict[str, object] = {
        "name": name,
        "version": 1,
        "kind": PassKind.PROMPT,
        "category": "test",
        "description": "a test's own",
        "output_schema": {"type": "object"},
        "prompt": PromptTemplate(name, 1, "be brief", "{{ transcript }}"),
        "model": "scripted",
    }
    return PassDefinition(**{**whole, **fields})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Gives:
    """An answer after so many calls, each of which costs so much.

    The call of the number `hangs_at`, from 0, is never answered.
    """

    calls: int = 1
    cost: int = 40
    output: str = OUTPUT
    hangs_at: int | None = None


@dataclass
class FakeModel:
    """Does what its script says, an act for each ask, and then always answers."""

    script: deque[Gives | ModelError | Exception] = field(default_factory=deque)
    otherwise: Gives | ModelError = field(default_factory=Gives)
    estimate: int = 100
    asked: list[str] = field(default_factory=list)
    call_count: int = 0
    gate: asyncio.Event | None = None
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def acts(self, *acts: Gives | ModelError | Exception) -> None:
        """What it does when it is asked next."""
        self.script.extend(acts)

    def render(self, definition: PassDefinition, text: SegmentText) -> RenderedPrompt:
        said = "\n".join(one.content.text for one in text.messages)
        return RenderedPrompt("be brief", said, sha256(said.encode()).digest())

    def estimate_micro_usd(self, definition: PassDefinition, prompt: RenderedPrompt) -> int:
        return self.estimate

    async def ask(
        self,
        definition: PassDefinition,
        prompt: RenderedPrompt,
        before_call: BeforeCall,
    ) -> Answer:
        act = self.script.popleft() if self.script else self.otherwise
        calls = act.calls if isinstance(act, Gives) else 1
        for number in range(calls):
            await before_call(_usage(act, number))
            self.call_count += 1
            self.asked.append(prompt.user)
            self.called.set()
            if self.gate is not None:
                await self.gate.wait()
            if isinstance(act, Gives) and act.hangs_at == number:
                await asyncio.Event().wait()
        if isinstance(act, Exception):
            raise act
        return Answer(act.output, "scripted-1", _usage(act, calls), timedelta(seconds=1))


def _usage(act: Gives | Exception, calls: int) -> Usage:
    """What so many calls took."""
    if not isinstance(act, Gives):
        return Usage()
    return Usage(calls, 11 * calls, 7 * calls, act.cost * calls)
