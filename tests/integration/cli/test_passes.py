"""`parley passes` on a real log: applied, compared, put in force and wanted."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from parley.passes.applied import PassActivation
from parley.passes.publishing import read_catalog
from parley.settings import Settings
from tests.support.command import Command, said

pytestmark = pytest.mark.integration

REFUNDS = """
name: refunds
version: 1
kind: prompt
category: insight
description: Whether money was asked back.
model: gpt-4o-mini
prompt:
  name: refunds
  version: 1
  system: Judge.
  user: "{{ transcript }}"
output_schema: {type: object}
daily_budget_usd: 2.5
"""


@pytest.fixture
def command(settings: Settings) -> Command:
    """The command, without a database: none is needed."""
    nowhere = SecretStr("postgresql://nobody@127.0.0.1:1/none")
    return Command(settings.model_copy(update={"database_url": nowhere}))


async def run(command: Command, *arguments: str) -> tuple[int, str, str]:
    ended = await asyncio.to_thread(command, *arguments)
    return ended.returncode, ended.stdout.decode(), said(ended)


async def as_json(command: Command, *arguments: str, status: int = 0) -> Any:
    return await asyncio.to_thread(lambda: command.json(*arguments, status=status))


@pytest.mark.timeout(600)
async def test_a_pass_from_its_file_to_a_tenant_that_wants_it(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "refunds.yaml"
    file.write_text(REFUNDS)
    [compared] = await as_json(command, "passes", "diff", str(file), status=1)
    assert (compared["change"], compared["compared_with"]) == ("new pass", None)
    [made] = await as_json(command, "passes", "apply", str(file))
    assert (made["change"], made["standing"]) == ("new version", "in force")
    assert await as_json(command, "passes", "diff", str(file))

    # What is shown is a file that changes nothing.
    shown = tmp_path / "shown.yaml"
    shown.write_text((await run(command, "passes", "show", "refunds", "-o", "yaml"))[1])
    [again] = await as_json(command, "passes", "apply", str(shown))
    assert (again["change"], again["fingerprint"]) == ("unchanged", made["fingerprint"])

    # Another prompt under the same version is refused, and nothing is written.
    file.write_text(REFUNDS.replace("Judge.", "Judge well."))
    status, _, told = await run(command, "passes", "apply", str(file))
    assert status == 1
    assert "refunds version 1 would give other results" in told
    assert "Give it version 2" in told
    [compared] = await as_json(command, "passes", "diff", str(file), status=1)
    assert compared["change"] == "other fingerprint"
    assert compared["fields"] == [
        {"field": "prompt.system", "applied": "Judge.", "file": "Judge well."}
    ]
    status, table, told = await run(command, "passes", "diff", str(file))
    assert (status, "- Judge." in table, "+ Judge well." in table) == (1, True, True)
    assert "apply it as version 2" in told

    assert (await run(command, "passes", "disable", "refunds"))[0] == 0
    [listed] = await as_json(command, "passes", "list")
    assert (listed["state"], listed["version"]) == ("disabled", 1)
    assert listed["suspended"] is None
    [listed] = await as_json(command, "passes", "enable", "refunds")
    assert listed["state"] == "in force"
    whole = await as_json(command, "passes", "show", "refunds")
    [active] = whole["versions"]
    assert set(active["seals_offsets"]) == {0}

    [row] = await as_json(command, "passes", "subscriptions", "--tenant", "acme")
    assert (row["is_run"], row["because"]) == (False, "its kind")
    [row] = await as_json(
        command, "passes", "subscribe", "insight", "--category", "--tenant", "acme"
    )
    assert (row["is_run"], row["because"]) == (True, "its category")
    [row] = await as_json(command, "passes", "unsubscribe", "refunds", "--tenant", "acme")
    assert (row["is_run"], row["because"]) == (False, "the pass")
    [row] = await as_json(command, "passes", "subscriptions", "--tenant", "other")
    assert row["is_run"] is False


async def test_a_suspended_pass_is_named_with_its_reason_and_resumed(
    settings: Settings, pool: Any
) -> None:
    command = Command(settings)
    await as_json(command, "passes", "apply", "--shipped")
    [shown] = [one for one in await as_json(command, "passes", "list") if one["pass"] == "summary"]
    assert shown["suspended"] == ""
    _, _, told = await run(command, "passes", "resume", "summary")
    assert "There is nothing to resume" in told
    assert (await activation(settings)).resumed_at is None
    await pool.execute(
        "INSERT INTO operations.suspensions (fingerprint, pass_name, pass_version, reason)"
        " VALUES ($1, 'summary', 1, 'bad_key')",
        shown["fingerprint"],
    )
    status, table, told = await run(command, "passes", "list")
    assert (status, "suspended: bad_key" in table) == (0, True)
    assert "parley passes resume summary" in told
    assert "suspended: bad_key" in (await run(command, "passes", "show", "summary"))[2]
    before = await activation(settings)
    [row] = await as_json(command, "passes", "resume", "summary")
    assert (row["pass"], row["state"]) == ("summary", "in force")
    after = await activation(settings)
    assert after.resumed_at is not None
    # Nothing else has changed: the same version is in force since the same seals.
    assert replace(after, resumed_at=None) == before


async def activation(settings: Settings) -> PassActivation:
    said = (await read_catalog(settings)).activation("summary")
    assert said is not None
    return said.body


async def test_what_is_installed_is_applied_once(command: Command) -> None:
    made = await as_json(command, "passes", "apply", "--shipped")
    assert {row["change"] for row in made} == {"new version"}
    assert {"sentiment", "turn_statistics", "summary"} <= {row["pass"] for row in made}
    status, _, told = await run(command, "passes", "apply", "--shipped")
    assert (status, "nothing was changed" in told) == (0, True)
    assert (await run(command, "passes", "diff", "--shipped"))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("apply",), "Name the files of passes, or give --shipped."),
        (("apply", "/nowhere.yaml"), "/nowhere.yaml cannot be read: No such file or directory."),
        (("show", "nothing"), "There is no pass nothing."),
        (("disable", "nothing"), "There is no pass nothing."),
        (("resume", "nothing"), "There is no pass nothing."),
        (("enable", "nothing"), "parley passes apply FILE"),
        (("subscribe", "nothing"), "There is no pass nothing."),
    ],
)
async def test_an_error_says_what_to_do(
    command: Command, arguments: tuple[str, ...], problem: str
) -> None:
    status, _, told = await run(command, "passes", *arguments)
    assert status == 1
    assert problem in told
    assert "Traceback" not in told


async def test_a_file_with_a_fault_is_not_applied_in_part(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(f"{REFUNDS}---{REFUNDS.replace('version: 1', 'version: one')}")
    status, _, told = await run(command, "passes", "apply", str(file))
    assert status == 1
    assert "two.yaml, pass 2 (refunds) is no pass:" in told
    assert "version: should be a valid integer, not 'one'" in told
    assert await as_json(command, "passes", "list") == []
