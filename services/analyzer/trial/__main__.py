"""Be a trial's process: told on stdin what to try, telling on stdout what came of it.

The one line out is JSON: `{"tried": …}`, or `{"problem": …, "remedy": …}` and exit status 1.
"""

import json
import sys
from contextlib import redirect_stdout
from typing import Any

import asyncpg
import orjson
import uvloop

from parley import logs
from parley.codec.record import InvalidRecord
from parley.db.pool import connect
from parley.errors import UserError
from parley.trials.request import TrialRequest
from services.analyzer.model.chat import ChatModel
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.trial.loading import find
from services.analyzer.trial.trying import Report, try_it


def main() -> None:
    """Try, and tell; exit 1 with what is wrong."""
    logs.configure("analyzer", "CRITICAL", is_json=True)
    try:
        request = TrialRequest.from_json(orjson.loads(sys.stdin.buffer.read()))
        # What a pass prints is no report.
        with redirect_stdout(sys.stderr):
            report = uvloop.run(_try(AnalyzerSettings.load(), request))
        _tell(tried=report.to_json())
    except UserError as error:
        _tell(problem=error.problem, remedy=error.remedy)
        sys.exit(1)


async def _try(settings: AnalyzerSettings, request: TrialRequest) -> Report:
    pool = await connect(settings, max_size=1)
    try:
        tried = await find(pool, settings, request)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, InvalidRecord) as error:
        raise UserError(
            f"The tables cannot be read: {error}.",
            "Create or update them with `parley db upgrade`, and see `parley doctor`.",
        ) from error
    finally:
        await pool.close()
    model = ChatModel(settings)
    try:
        return await try_it(tried, model, is_prompt_only=request.is_prompt_only)
    finally:
        await model.close()


def _tell(**what: Any) -> None:
    # Numbers of any length, as the model or the pass wrote them.
    sys.stdout.buffer.write(json.dumps(what, ensure_ascii=False).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
