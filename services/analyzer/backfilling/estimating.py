"""Be an estimator's process: told on stdin of jobs of prompts, telling on stdout what they cost.

Each line is JSON. In: `{"definition": …, "seals": [[append time, seal], …]}`, out: `{"tokens": …,
"micro_usd": …, "is_priced": …, "has_provider": …}`, or `{"problem": …, "remedy": …}` at the end of
all. The end of stdin ends the process.
"""

import asyncio
import sys
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
import uvloop

from parley import logs
from parley.codec import decode_seal
from parley.codec.definitions import decode_definition
from parley.db.pool import connect
from parley.digests import SpokenMember
from parley.errors import UserError
from parley.passes.code import SegmentText
from parley.passes.definition import PassDefinition
from parley.seals import SegmentSealed
from services.analyzer.core.jobs import Segment, segment_of
from services.analyzer.model.chat import ChatModel
from services.analyzer.model.contract import ModelMisconfigured
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore

# Most tokens are made of about so many bytes; the price that is told is by the most there can be.
BYTES_OF_A_TOKEN: Final = 4


def main() -> None:
    """Answer until stdin ends; exit 1 with what is wrong."""
    logs.configure("analyzer", "CRITICAL", is_json=True)
    try:
        uvloop.run(_answer(AnalyzerSettings.load()))
    except UserError as error:
        _tell(problem=error.problem, remedy=error.remedy)
        sys.exit(1)


async def _answer(settings: AnalyzerSettings) -> None:
    pool = await connect(settings, max_size=1)
    model, store = ChatModel(settings), JobStore(pool, settings)
    try:
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            told = orjson.loads(line)
            definition = decode_definition(told["definition"])
            segments = [segment for seal in told["seals"] if (segment := _segment(*seal))]
            texts = await store.load(segments)
            found = estimate(model, definition, list(texts.values()))
            _tell(**found, has_provider=settings.has_provider)
    finally:
        await model.close()
        await pool.close()


def estimate(
    model: ChatModel, definition: PassDefinition, texts: Sequence[Sequence[SpokenMember]]
) -> dict[str, Any]:
    """About how many tokens the calls read, and the most that they cost; raises UserError."""
    tokens = micro_usd = 0
    try:
        for members in texts:
            ordered = sorted(members, key=lambda one: (one.event_time, one.event_id))
            prompt = model.render(definition, SegmentText("", tuple(ordered)))
            size = len(prompt.system.encode()) + len(prompt.user.encode())
            tokens += size // BYTES_OF_A_TOKEN
            micro_usd += model.estimate_micro_usd(definition, prompt)
    except ModelMisconfigured as error:
        raise UserError(
            f"The prompt of {definition.name} cannot be used: {error.reason}.",
            "Correct it, and apply it as a new version.",
        ) from error
    is_priced = model.knows_price(definition.model)
    return {"tokens": tokens, "micro_usd": micro_usd, "is_priced": is_priced}


def _segment(sealed_at: str, seal: str) -> Segment | None:
    sealed = decode_seal(b64decode(seal))
    if not isinstance(sealed, SegmentSealed):
        return None
    return segment_of(sealed, 0, datetime.fromisoformat(sealed_at))


def _tell(**what: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
