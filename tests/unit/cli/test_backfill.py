"""`parley backfill`: passes as well as commands, and what is told of a run."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from parley.backfilling.core import BackfillPass, Filters, Tally
from parley.backfilling.dry_run import DryRun
from parley.backfilling.estimating import Estimate
from parley.backfilling.request import BackfillRequest
from parley.backfilling.runs import Progress, Run, RunState
from parley.cli.backfill.findings import estimated, facts_of, remarks
from parley.cli.backfill.grouping import PassesOrCommand
from parley.cli.backfill.listing import row_of
from parley.cli.backfill.watching import facts, sentences, until_over
from parley.errors import UserError
from parley.passes.suspended import Suspended

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENTIMENT = BackfillPass("sentiment", 2, "f")


def progress(state: RunState = RunState.FINISHED, **fields: Any) -> Progress:
    run = Run(
        id="3f2a",
        state=state,
        reason="",
        passes=(SENTIMENT,),
        filters=Filters(),
        limit=None,
        is_newest_first=False,
        is_from_segments=False,
        rate=None,
        concurrency=10,
        budget_micro_usd=None,
        topic="seals",
        enqueued_count=3,
        started_by="ann",
        created_at=NOON,
        prepared_at=NOON,
        enqueued_at=NOON,
        finished_at=NOON + timedelta(seconds=75),
    )
    whole: dict[str, Any] = {
        "run": run,
        "passed": 9,
        "total": 9,
        "lost": 0,
        "workers": 0,
        "tally": Tally(),
        "jobs": {"verdict": 3},
        "by_pass": {"sentiment": {"verdict": 3}},
        "parked_because": {},
    }
    return Progress(**{**whole, **fields})


@pytest.fixture
def told() -> list[tuple[str, ...]]:
    return []


@pytest.fixture
def app(told: list[tuple[str, ...]]) -> typer.Typer:
    """A group of the same kind, whose commands note what they are told."""
    made = typer.Typer(cls=PassesOrCommand)

    @made.command()
    def start(passes: list[str] | None = None, *, dry: bool = False) -> None:
        told.append(("start", *(passes or []), str(dry)))

    @made.command("list")
    def list_runs() -> None:
        told.append(("list",))

    return made


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["list"], ("list",)),
        (["--dry"], ("start", "True")),
        (["start", "--passes", "list"], ("start", "list", "False")),
    ],
)
def test_what_is_no_command_begins_a_run(
    app: typer.Typer,
    told: list[tuple[str, ...]],
    arguments: list[str],
    expected: tuple[str, ...],
) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert told == [expected]


def test_help_is_of_the_group(app: typer.Typer, told: list[tuple[str, ...]]) -> None:
    assert "list" in CliRunner().invoke(app, ["--help"]).output
    assert told == []


def test_a_finished_run_says_what_it_did() -> None:
    (said,) = sentences(progress())
    assert said == (
        "Backfill 3f2a is finished: 9 records of 9 read, 3 jobs made, 3 verdicts. It took 1m 15s."
    )


def test_failures_and_lost_records_are_told() -> None:
    said = " ".join(sentences(progress(jobs={"verdict": 2, "failed": 1}, lost=4)))
    assert "1 failed" in said
    assert "WARNING: 4 records" in said
    assert "--from-segments" in said


def test_a_run_that_ends_without_its_parked_jobs_says_how_many_and_what_they_wait_for() -> None:
    left: dict[str, Any] = {
        "jobs": {"verdict": 1, "parked": 2},
        "parked_because": {"no_provider": 2},
    }
    first, why = sentences(progress(**left))
    assert first.startswith("Backfill 3f2a is finished but for 2 parked jobs: ")
    assert why.startswith("Parked because of no_provider: 2 jobs. They are run by themselves once")
    first, _ = sentences(progress(RunState.RUNNING, **left))
    assert first.startswith("Backfill 3f2a is running: ")
    *_, why = sentences(progress(jobs={"parked": 1}, parked_because={"digest_mismatch": 1}))
    assert "parley jobs list --state parked" in why


@pytest.mark.parametrize(
    ("analyzer_count", "expected"),
    [
        (
            0,
            "waiting: pass sentiment suspended since 2026-03-01T12:00:00Z (bad_key), "
            "`parley passes resume sentiment`",
        ),
        (
            2,
            "waiting: pass sentiment suspended by 2 analyzers since 2026-03-01T12:00:00Z (bad_key)",
        ),
    ],
)
def test_a_run_that_waits_for_a_suspended_pass_says_so(analyzer_count: int, expected: str) -> None:
    why = Suspended("f", "sentiment", 2, "bad_key", NOON, analyzer_count)
    found = progress(RunState.RUNNING, suspended=(why,))
    assert row_of(found)["reason"] == expected
    said = sentences(found)[1]
    assert said == f"{expected[0].upper()}{expected[1:]}."
    (told,) = facts(found)["suspended_passes"]
    assert (told["name"], told["reason"], told["since"]) == ("sentiment", "bad_key", NOON)


def test_a_dry_run_without_a_provider_says_what_will_be_parked() -> None:
    found = DryRun(jobs=7, jobs_by_pass={"summary": 4, "sentiment": 3})
    (said,) = estimated(found, {"summary": Estimate(9, 9, has_provider=False)})
    assert said.startswith("summary: neither OPENAI_API_KEY nor OPENAI_BASE_URL is set here.")
    assert "its 4 jobs will be parked as no_provider" in said
    assert estimated(found, {"summary": Estimate(9, 9)}) == []


def test_what_gets_no_job_is_told_with_what_to_do() -> None:
    said = remarks({"sentiment": {"failed": 2, "stale_fingerprint": 1, "not_subscribed": 5}})
    assert len(said) == 3
    assert "redrive" in said[0]
    assert "new version" in said[1]
    assert "not subscribed" in said[2]


def test_a_dry_run_for_programs_sums_up_what_is_stale() -> None:
    tally = Tally(
        7, {"sentiment": Counter(covered=2, missing=1, stale_version=3, stale_revision=1)}
    )
    found = DryRun(tally, 5, {"sentiment": 5}, seconds_each={"sentiment": 0.5})
    cost = {"sentiment": Estimate(1_200, 340_000)}
    found_facts = facts_of(BackfillRequest([SENTIMENT], rate=2.0), found, cost)
    assert (found_facts["jobs"], found_facts["seconds_at_rate"]) == (5, 2.5)
    (row,) = found_facts["passes"]
    assert (row["stale"], row["missing"], row["failed"], row["expected_seconds"]) == (4, 1, 0, 2.5)
    assert (row["tokens"], row["usd_at_most"]) == (1_200, 0.34)


async def test_it_is_watched_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.cli.backfill.watching.POLL_S", 0)
    states = [RunState.RUNNING, RunState.PAUSED, RunState.RUNNING, RunState.CANCELLED]
    seen: list[RunState] = []

    async def look() -> Progress:
        return progress(states[len(seen)])

    found = await until_over(look, lambda one: seen.append(one.run.state))
    assert seen == states
    assert found.run.state is RunState.CANCELLED


def test_what_makes_no_sense_is_refused() -> None:
    two = [SENTIMENT, BackfillPass("b", 1, "g")]
    with pytest.raises(UserError, match="concurrency"):
        BackfillRequest(two, concurrency=1).check()
    with pytest.raises(UserError, match="--since"):
        BackfillRequest(two, Filters(since=NOON, until=NOON)).check()
    with pytest.raises(UserError, match="No pass"):
        BackfillRequest([]).check()
