"""Whether the whole HTTP API answers as its documentation says, whatever it is sent.

Schemathesis reads the documentation from a real gateway, with a real persister behind it, and sends
what it allows and what it does not, request by request and in chains of them.
"""

import asyncio
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from parley.position import Position
from parley.settings import Settings
from parley.topics import Topic
from services.persister.stream.refusals import CONFLICT
from tests.integration.persister.reading import ledger
from tests.support.processes import ServiceProcess
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

EXAMPLES: Final = int(os.environ.get("PARLEY_HYPOTHESIS_EXAMPLES", "5"))
# Another one for every night; a failure says which it was.
SEED: Final = os.environ.get("PARLEY_HYPOTHESIS_SEED", "1")

# 422: not all that is refused can be said in a schema, such as an empty text without an audio_url.
# 5xx stays a failure: nothing is away and nobody is overloaded here.
# A batch is answered with 200 and refuses each message by itself.
CONFIG: Final = """
[dictionaries]
after = { values = AFTER }
cursors = { values = CURSORS }
conversations = { values = ["known", "support-4711"] }

[parameters]
"header.X-Parley-After" = { dictionary = "after", probability = 0.8 }
"query.cursor" = { dictionary = "cursors", probability = 0.8 }
"path.conversation_id" = { dictionary = "conversations", probability = 0.5 }

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

[[operations]]
include-path = "/api/v2/events:batch"

[operations.checks.negative_data_rejection]
expected-statuses = ["200", "4xx"]
"""

# Well written, and given out by nobody.
FOREIGN_CURSORS: Final[tuple[Any, ...]] = (
    ["0001-01-01T00:00:00+14:00", "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"],
    ["9999-12-31T23:59:59-14:00", "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"],
    ["2026-01-01T00:00:00", "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"],
    ["2026-01-01T00:00:00Z", "nul\0"],
    ["2026-01-01T00:00:00Z", "a" * 513],
    ["2026-01-01T00:00:00Z", 7],
    [[], []],
    "",
    None,
)
SEGMENT: Final = "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"
FOREIGN_POSITIONS: Final = (
    Position("i", 2**31, 1),
    Position("i", -1, 1),
    Position("i", 0, 2**63),
    Position("\0", 0, 1),
)

ROUTES: Final = {
    "/api/v2/conversations": {"get", "post"},
    "/api/v2/conversations/{conversation_id}": {"get"},
    "/api/v2/conversations/{conversation_id}/messages": {"get", "post"},
    "/api/v2/conversations/{conversation_id}/verdicts": {"get"},
    "/api/v2/segments/{segment_id}": {"get"},
    "/api/v2/conversations/{conversation_id}/sessions": {"post"},
    "/api/v2/conversations/{conversation_id}/sessions/{session_id}/end": {"post"},
    "/api/v2/conversations/{conversation_id}/end": {"put"},
    "/api/conversations/{conversation_id}/state": {"get", "post"},
    "/api/conversations/{conversation_id}/transcript": {"post"},
    "/api/conversations/{conversation_id}/ai-response": {"post"},
    "/api/v2/users/{user_id}/preferences": {"get", "put"},
    "/api/v2/activity": {"get"},
    "/api/v2/backfills": {"get", "post"},
    "/api/v2/backfills/{run_id}": {"get"},
    "/api/v2/backfills/{run_id}/pause": {"post"},
    "/api/v2/backfills/{run_id}/resume": {"post"},
    "/api/v2/backfills/{run_id}/cancel": {"post"},
    "/api/v2/coverage": {"get"},
    "/api/v2/events:batch": {"post"},
    "/api/v2/imports": {"post"},
    "/api/v2/imports/{import_id}/finish": {"post"},
    "/api/test/conversations": {"post"},
    "/api/test/{conversation_id}/message": {"post"},
    "/api/test/{conversation_id}/speech": {"post"},
    "/api/test/{conversation_id}/state-transitions": {"get"},
    "/api/test/{conversation_id}/stress-test": {"get"},
    "/api/test/system-status": {"get"},
    "/health": {"get"},
    "/livez": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture
def gateway(settings: Settings) -> Iterator[ServiceProcess]:
    """A gateway with all its routes, and without a limit on how fast one user may ask."""
    extra = {"PARLEY_TEST_ENDPOINTS": "1", "PARLEY_GATEWAY_RATE_PER_USER": "0"}
    with ServiceProcess("gateway", settings, **extra) as process:
        yield process


@pytest.fixture
async def document(gateway: ServiceProcess) -> dict[str, Any]:
    """What the gateway says of itself."""
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        found: dict[str, Any] = (await client.get("/openapi.json")).json()
        return found


async def test_the_documentation_names_every_route(document: dict[str, Any]) -> None:
    assert {path: set(methods) for path, methods in document["paths"].items()} == ROUTES


async def test_every_read_of_what_is_stored_may_wait_for_a_write(document: dict[str, Any]) -> None:
    without = {
        path
        for path, methods in document["paths"].items()
        if path.startswith("/api") and "get" in methods
        if "X-Parley-After" not in _parameters(methods["get"])
    }
    assert without == {
        "/api/test/system-status",
        "/api/test/{conversation_id}/stress-test",
        "/api/v2/activity",
        "/api/v2/backfills",
        "/api/v2/backfills/{run_id}",
        "/api/v2/coverage",
    }


async def test_every_post_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    without = {
        path
        for path, methods in document["paths"].items()
        if "post" in methods and "idempotency-key" not in _parameters(methods["post"])
    }
    assert without == set()


async def test_what_nobody_gave_out_is_refused_on_every_read(
    document: dict[str, Any], gateway: ServiceProcess
) -> None:
    statuses: dict[tuple[str, str], int] = {}
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        for path in _paths_with(document, "X-Parley-After"):
            for position in map(str, FOREIGN_POSITIONS):
                answer = await client.get(path, headers={"X-Parley-After": position})
                statuses[path, position] = answer.status_code
        for path in _paths_with(document, "cursor"):
            for value in FOREIGN_CURSORS:
                cursor = urlsafe_b64encode(json.dumps(value).encode()).decode()
                answer = await client.get(path, params={"cursor": cursor})
                statuses[path, cursor] = answer.status_code
    assert len(statuses) == 8 * len(FOREIGN_POSITIONS) + 3 * len(FOREIGN_CURSORS)
    assert {asked: status for asked, status in statuses.items() if status != 422} == {}


@pytest.mark.timeout(300 + 60 * EXAMPLES)
async def test_every_answer_is_a_documented_one_and_all_that_was_taken_is_stored(
    settings: Settings, pool: Any, gateway: ServiceProcess, tmp_path: Path
) -> None:
    with ServiceProcess("persister", settings):
        (tmp_path / "schemathesis.toml").write_text(await _config(gateway.url))
        run = await asyncio.to_thread(_schemathesis, gateway.url, tmp_path)
        assert run.returncode == 0, run.stdout + run.stderr
        count = len(await read_records(settings, Topic.EVENTS))
        assert count > 100
        # What the gateway lets in must not turn out to be unusable behind it.
        await eventually(lambda: _consumed(pool, settings, count), timeout=60)
    assert (await ledger(pool, settings, Topic.EVENTS)).residue == 0
    rows = await pool.fetch("SELECT DISTINCT reason FROM dead_letters")
    # The same id with another content is the one thing that only the persister can see.
    assert {row["reason"] for row in rows} <= {CONFLICT}
    assert "Traceback" not in gateway.output


async def _config(url: str) -> str:
    """What is known beforehand, without which most reads would be of nothing."""
    async with httpx.AsyncClient(base_url=f"{url}/api/v2") as client:
        for name in ("other", "known", "known"):
            path = f"/conversations/{name}/messages"
            after = (await client.post(path, json={"text": "hello"})).json()["position"]
            assert (await client.get(path, headers={"X-Parley-After": after})).status_code == 200
        cursors = [
            (await client.get(path, params={"limit": 1})).json()["next_cursor"]
            for path in ("/conversations/known/messages", "/conversations")
        ]
    assert None not in cursors
    return CONFIG.replace("AFTER", json.dumps([after])).replace("CURSORS", json.dumps(cursors))


def _schemathesis(url: str, directory: Path) -> subprocess.CompletedProcess[str]:
    options = [
        "--checks=all",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--continue-on-failure",
        "--generation-database=none",
        "--no-color",
    ]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", *options]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


async def _consumed(pool: Any, settings: Settings, count: int) -> bool:
    return (await ledger(pool, settings, Topic.EVENTS)).consumed >= count


def _parameters(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", [])}


def _paths_with(document: dict[str, Any], parameter: str) -> list[str]:
    """The paths that are read with the parameter, for a conversation and a user."""
    return [
        path.format(conversation_id="c", user_id="u", segment_id=SEGMENT)
        for path, methods in document["paths"].items()
        if "get" in methods and parameter in _parameters(methods["get"])
    ]
