"""`parley backfill` as people call it, over a past that a real persister has stored."""

import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parley.settings import Settings
from tests.integration.backfilling.past import NEW, OWN, Past, conversations, past
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration


@pytest.fixture
async def then(settings: Settings, pool: Any) -> AsyncIterator[Past]:
    async with past(settings, pool) as made:
        yield made


async def test_a_dry_run_a_run_and_the_same_again(then: Past) -> None:
    await then.seal(conversations(40))
    await then.apply()
    parley = Command(then.settings)
    with ServiceProcess("analyzer", then.settings, **OWN):
        looked = parley.json("backfill", NEW.name, "--dry-run", "--rate", "20")
        assert (looked["jobs"], looked["segments"], looked["seconds_at_rate"]) == (40, 40, 2.0)
        ran = parley.json("backfill", NEW.name)
        assert (ran["state"], ran["enqueued"], ran["jobs"]) == ("finished", 40, {"verdict": 40})
        again = parley("backfill", "start", NEW.name)
        assert again.returncode == 0
        assert "0 jobs made" in said(again)
        listed = parley.json("backfill", "list")
        assert [one["enqueued"] for one in listed] == [0, 40]
        shown = parley.json("backfill", "show", ran["id"][:8])
        assert shown["passes"][0]["found"] == {"missing": 40}


async def test_a_command_that_is_interrupted_leaves_the_run_going_on(then: Past) -> None:
    await then.seal(conversations(60))
    await then.apply()
    parley = Command(then.settings)
    with ServiceProcess("analyzer", then.settings, **OWN):
        process = parley.start("backfill", NEW.name, "--rate", "0.1")
        while not await then.pool.fetchval("SELECT count(*) FROM operations.jobs"):
            time.sleep(0.05)  # noqa: ASYNC251 - nothing else runs here
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 130
        assert b"goes on" in stderr
        (run,) = parley.json("backfill", "list")
        assert run["state"] == "running"
        assert parley("backfill", "pause", run["id"][:6]).returncode == 0
        refused = parley("backfill", "pause", run["id"][:6])
        assert refused.returncode == 1
        assert "is paused" in said(refused)
        assert parley("backfill", "resume", run["id"]).returncode == 0
        assert parley("backfill", "cancel", run["id"]).returncode == 0
        watched = parley.json("backfill", "show", run["id"], "--watch", status=1)
        assert (watched["state"], watched["analyzers"]) == ("cancelled", 0)
        assert 0 < watched["enqueued"] < 60
        rest = parley.json("backfill", NEW.name)
    assert rest["enqueued"] + watched["jobs"].get("verdict", 0) == 60


async def test_what_cannot_be_run_is_told_with_what_to_do(then: Past) -> None:
    await then.apply()
    parley = Command(then.settings)
    for arguments, told in (
        (("sentimant",), "Did you mean sentiment"),
        ((f"{NEW.name}@9",), "has no version 9"),
        (("--all", NEW.name), "Leave out one of the two"),
        (("show", "zz"), "There is no backfill zz"),
        (("cancel", "abc"), "There is no backfill abc"),
        ((NEW.name, "--since", "1h", "--until", "2h"), "--since is not before --until"),
    ):
        ended = parley("backfill", *arguments)
        assert ended.returncode == 1, arguments
        assert told in said(ended), arguments
