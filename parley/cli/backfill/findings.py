"""Shows what a dry run found, and how a run's findings are told."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from parley.backfilling.core import WANTED, Standing
from parley.backfilling.dry_run import DryRun
from parley.backfilling.estimating import Estimate
from parley.backfilling.request import MICRO, BackfillRequest
from parley.cli.output import Output, print_rows, say
from parley.cli.wording import counted, lasting

COLUMNS: Final = (
    *("pass", "version", "covered", "missing", "stale_version", "stale_revision"),
    *("stale_fingerprint", "unfinished", "failed", "ended", "filtered", "not_subscribed"),
    *("not_sampled", "jobs", "expected_seconds", "tokens", "usd_at_most"),
)


_COUNTS: Final = frozenset(one.value for one in Standing)
Estimates = Mapping[str, Estimate]


def rows_of(request: BackfillRequest, found: DryRun, estimates: Estimates) -> list[dict[str, Any]]:
    """A line for each pass."""
    return [
        {
            "pass": one.name,
            "version": one.version,
            **counts_of(found.tally.by_pass.get(one.name, {})),
            "jobs": found.jobs_by_pass.get(one.name, 0),
            "expected_seconds": _seconds(found, one.name),
            **_cost(estimates.get(one.name)),
        }
        for one in request.passes
    ]


def counts_of(counts: Mapping[str, int]) -> dict[str, int | None]:
    """The counts of a pass; what there is none of is left empty, but for what is asked most."""
    always = (Standing.COVERED, Standing.MISSING)
    return {
        one.value: counts.get(one.value, 0) or (0 if one in always else None)
        for one in Standing
        if one not in (Standing.NOT_CURRENT, Standing.OWN)
    }


def _seconds(found: DryRun, name: str) -> float | None:
    each = found.seconds_each.get(name)
    return None if each is None else round(each * found.jobs_by_pass.get(name, 0), 1)


def _cost(estimate: Estimate | None) -> dict[str, Any]:
    """Of a prompt; of a model without a known price nobody knows what it costs."""
    if estimate is None:
        return {"tokens": None, "usd_at_most": None}
    usd = round(estimate.micro_usd / MICRO, 6) if estimate.is_priced else None
    return {"tokens": estimate.tokens, "usd_at_most": usd}


def print_dry_run(request: BackfillRequest, found: DryRun, estimates: Estimates) -> None:
    """For people: the table, and what follows from it."""
    print_rows(Output.TABLE, rows_of(request, found, estimates), COLUMNS)
    segments = counted(found.tally.segments, "segment")
    say(f"{segments} looked at; {counted(found.jobs, 'job')} would be made. Nothing was changed.")
    if request.rate is not None and found.jobs:
        lasts = lasting(timedelta(seconds=found.jobs / request.rate))
        say(f"At {request.rate:g} jobs a second that takes {lasts} at least.")
    for sentence in estimated(found, estimates):
        say(sentence)
    for sentence in remarks(found.tally.by_pass):
        say(sentence)


def estimated(found: DryRun, estimates: Estimates) -> list[str]:
    """What a person has to know of prompts before they are run."""
    said = []
    for name, estimate in estimates.items():
        if not estimate.has_provider:
            jobs = counted(found.jobs_by_pass.get(name, 0), "job")
            said.append(
                f"{name}: neither OPENAI_API_KEY nor OPENAI_BASE_URL is set here. Unless the "
                f"analyzers have one, its {jobs} will be parked as no_provider until they do; the "
                "other passes are run meanwhile."
            )
        if not estimate.is_priced:
            said.append(
                f"{name}: nobody knows a price of its model: PARLEY_ANALYZER_MODEL_PRICES sets it."
            )
    return said


def remarks(by_pass: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What a person may want to do about what gets no job."""
    said = []
    for name, counts in by_pass.items():
        if failed := counts.get(Standing.FAILED.value, 0):
            said.append(
                f"{name}: {counted(failed, 'job')} failed before, and are not run again by a "
                "backfill: redrive them with `parley jobs redrive`."
            )
        if other := counts.get(Standing.STALE_FINGERPRINT.value, 0):
            said.append(
                f"{name}: {counted(other, 'verdict')} of this version have another fingerprint. A "
                "version has one only: apply the pass as a new version."
            )
        if unwanted := counts.get(Standing.NOT_SUBSCRIBED.value, 0):
            said.append(
                f"{name}: {counted(unwanted, 'segment')} are of tenants that are not subscribed "
                "to it."
            )
    return said


_RESUMES: Final = {
    "no_provider": "They are run by themselves once an analyzer has OPENAI_API_KEY or "
    "OPENAI_BASE_URL.",
    "budget": "They are run by themselves as the pass's daily budget allows.",
    "budget_of_backfill": "`parley backfill resume RUN --budget USD` gives the run more.",
}
_OTHERWISE: Final = "`parley jobs list --state parked` shows them, `parley jobs redrive` runs them."


def parked_remarks(parked_because: Mapping[str, int]) -> list[str]:
    """Why jobs are parked, and when they go on."""
    return [
        f"Parked because of {reason}: {counted(count, 'job')}. {_RESUMES.get(reason, _OTHERWISE)}"
        for reason, count in sorted(parked_because.items())
    ]


def facts_of(request: BackfillRequest, found: DryRun, estimates: Estimates) -> dict[str, Any]:
    """For programs."""
    return {
        "segments": found.tally.segments,
        "jobs": found.jobs,
        "lost_records": found.lost,
        "seconds_at_rate": None if request.rate is None else found.jobs / request.rate,
        "without_provider": [name for name, one in estimates.items() if not one.has_provider],
        "passes": [
            {
                **{
                    name: 0 if name in _COUNTS and value is None else value
                    for name, value in row.items()
                },
                "stale": sum(row[one.value] or 0 for one in WANTED if one is not Standing.MISSING),
            }
            for row in rows_of(request, found, estimates)
        ],
    }
