"""Tries a pass in a child process: its code is the analyzer's, and this package imports none."""

from asyncio.subprocess import PIPE, create_subprocess_exec
from contextlib import suppress
from typing import Any, Final

import orjson

from parley.errors import UserError
from parley.local import environment
from parley.settings import Settings
from parley.trials.request import TrialRequest

MODULE: Final = "services.analyzer.trial"


async def try_pass(settings: Settings, request: TrialRequest) -> dict[str, Any]:
    """What came of it, or what was wrong with it; raises UserError where nothing could be tried."""
    process = await create_subprocess_exec(
        *environment.python_module(MODULE),
        env=environment.for_child({"DATABASE_URL": settings.database_url.get_secret_value()}),
        stdin=PIPE,
        stdout=PIPE,
        # Ctrl-C is for the command, which ends the child.
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate(orjson.dumps(request.to_json()))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return _told(output, process.returncode)


def _told(output: bytes, status: int | None) -> dict[str, Any]:
    lines = output.splitlines()
    told: dict[str, Any] = orjson.loads(lines[-1]) if lines else {}
    match told:
        case {"tried": tried}:
            return dict(tried)
        case {"problem": problem, "remedy": remedy}:
            raise UserError(problem, remedy)
    raise UserError(
        f"{MODULE} ended with status {status} and said nothing.",
        "What it printed above says why; where memory was short, run it again.",
    )
