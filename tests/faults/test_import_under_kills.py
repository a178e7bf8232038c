"""`kill -9` of each service in turn during imports leaves what an undisturbed run leaves.

The short form imports made-up conversations with late messages, bridges, revived segments and
caps. `make faults FILE=…` imports a file of your own instead, with more kills.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parley.db import pool as database
from parley.settings import Settings
from services.analyzer.passes import SHIPPED
from tests.support.processes import ROOT, environment
from tests.support.product import SERVICES, Product, write_jsonl
from tests.support.views import residue, view

pytestmark = [pytest.mark.faults, pytest.mark.integration]

KILLS_EACH = 3
POLICIES = json.dumps({"tight": {"idle_gap": "PT10M", "grace": "PT1S", "max_messages": 20}})
START = datetime(2020, 1, 1, tzinfo=UTC)


def row(conversation: int, minute: float, number: int) -> dict[str, Any]:
    return {
        "conversation_id": f"room-{conversation:03}",
        "message_id": f"{conversation}-{minute}-{number}",
        "role": "user" if number % 2 else "assistant",
        "author": f"speaker-{number % 2}",
        "content": f"line {number} of minute {minute}, {'good' if number % 3 else 'bad'}",
        "occurred_at": (START + timedelta(minutes=minute)).isoformat(),
    }


def first_file(conversations: int) -> list[dict[str, Any]]:
    """Two stretches an hour apart in each; every tenth conversation is long enough to be capped."""
    rows = []
    for conversation in range(conversations):
        length = 30 if conversation % 10 == 0 else 4
        for number in range(length):
            rows.append(row(conversation, number, number))
            rows.append(row(conversation, 60 + number, number))
    return rows


def second_file(conversations: int) -> list[dict[str, Any]]:
    """Late ones inside, a bridge over the hour in every third, new stretches before and after."""
    rows = []
    for conversation in range(conversations):
        rows.append(row(conversation, 1.5, 100))
        rows.append(row(conversation, 300, 101))
        if conversation % 3 == 0:
            rows.extend(row(conversation, minute, 102) for minute in range(8, 60, 8))
        if conversation % 5 == 0:
            rows.append(row(conversation, -200, 103))
    return rows


@asynccontextmanager
async def disturbed(product: Product, kills_each: int) -> AsyncIterator[list[str]]:
    """Kill every service in turn while the body runs; yields the names of those killed so far."""
    killed: list[str] = []
    chance = random.Random(7)

    async def kill_in_turn() -> None:
        for service in SERVICES * kills_each:
            await asyncio.sleep(chance.uniform(0.1, 0.4))
            await asyncio.to_thread(product.kill, service)
            killed.append(service)

    killing = asyncio.create_task(kill_in_turn())
    yield killed
    await killing


async def imported(settings: Settings, file: Path, channel: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley.cli", "import", "jsonl", str(file), "--channel", channel),
        env=environment(settings, PARLEY_CHANNEL_POLICIES=POLICIES),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def run_of(
    settings: Settings, files: list[tuple[Path, str]], kills_each: int
) -> dict[str, list[tuple[Any, ...]]]:
    """The tables after importing the files, one after the other, with kills or without."""
    with Product(settings) as product:
        pool = await database.connect(settings)
        try:
            for file, channel in files:
                async with disturbed(product, kills_each) as killed:
                    await imported(settings, file, channel)
                    in_time = len(killed)
                # So that every service died at least once under way, and not after it.
                assert in_time >= min(kills_each, 1) * len(SERVICES), killed
                print(f"{file.name}: {in_time} of {len(killed)} kills during the import")  # noqa: T201
            # Once more: nothing changes.
            before = await view(pool)
            for file, channel in files:
                await imported(settings, file, channel)
            assert await view(pool) == before
            assert await residue(pool) == 0
            assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
            return before
        finally:
            await pool.close()


@pytest.mark.long
async def test_killed_services_leave_what_an_undisturbed_run_leaves(
    empty_settings: Settings, second_settings: Settings, tmp_path: Path
) -> None:
    conversations = 120
    files = [
        (write_jsonl(tmp_path / "first.jsonl", first_file(conversations)), "tight"),
        (write_jsonl(tmp_path / "second.jsonl", second_file(conversations)), "tight"),
    ]
    undisturbed = await run_of(empty_settings, files, 0)
    killed = await run_of(second_settings, files, 1)
    for table, rows in undisturbed.items():
        assert killed[table] == rows, table
    assert {"cap", "import", "late"} <= {segment[-1] for segment in undisturbed["segments"]}
    assert undisturbed["retracted"], "the second file bridges segments of the first"
    assert max(segment[3] for segment in undisturbed["segments"]) >= 2
    current = {(one[1], one[3]) for one in undisturbed["segments"]}
    verdicts = [one for one in undisturbed["verdicts"] if (one[1], one[2]) in current]
    assert len(verdicts) == len(SHIPPED) * len(current)


@pytest.mark.skipif(not os.environ.get("PARLEY_TEST_IMPORT_FILE"), reason="make faults FILE=…")
@pytest.mark.timeout(3600)
async def test_killed_services_leave_what_an_undisturbed_import_leaves(
    empty_settings: Settings, second_settings: Settings
) -> None:
    files = [(Path(os.environ["PARLEY_TEST_IMPORT_FILE"]), "import")]
    undisturbed = await run_of(empty_settings, files, 0)
    killed = await run_of(second_settings, files, KILLS_EACH)
    for table, rows in undisturbed.items():
        assert killed[table] == rows, table
    assert {segment[3] for segment in killed["segments"]} == {1}
