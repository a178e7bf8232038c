"""`parley policy preview`: what another policy would have made of history."""

from typing import Annotated, Any, Final

import typer

from parley import clock
from parley.cli.config_topic import read_configured
from parley.cli.output import Output, OutputOption, print_data, print_rows, say
from parley.cli.phase_progress import PhaseProgress
from parley.cli.policy.options import (
    ChannelOption,
    GraceOption,
    IdleGapOption,
    MaxDurationOption,
    MaxMessagesOption,
    SealOnEndOption,
    TenantOption,
    Wanted,
    next_policy,
    scope_of,
)
from parley.cli.running import run
from parley.cli.times import moment_of
from parley.policies import Policies, Scope
from parley.previewing.preview import PassCost, Preview
from parley.previewing.preview import preview as replay
from parley.previewing.request import PreviewRequest, Stamps, as_of_now, with_version
from parley.settings import Settings

_COLUMNS: Final = (
    *("channel", "conversations", "before", "after", "unchanged", "merged", "split", "regrouped"),
    *("seals_before", "seals_after"),
)
_PASS_COLUMNS: Final = ("pass", "version", "verdicts", "runs", "seconds", "expected_seconds")


def preview(
    *,
    tenant: TenantOption = "",
    channel: ChannelOption = "",
    idle_gap: IdleGapOption = None,
    grace: GraceOption = None,
    seal_on_end: SealOnEndOption = None,
    max_duration: MaxDurationOption = None,
    max_messages: MaxMessagesOption = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only segments that end since then: a time, or how long ago, as 30d."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a policy would have made of history; the same options as `set`, and no change.

    The whole log is replayed in memory, twice: under the policies that its events carry, and as if
    the version had always counted where it would. Without any of them, as if what counts now had
    always counted. Nothing is written, and no service need run.

    Of the segments before: merged ones would go together, split ones come apart, regrouped ones do
    both. Verdicts are those of segments whose messages would be others; runs are the segments that
    there would be in their place.

    Examples: parley policy preview --idle-gap 30m

    parley policy preview --tenant acme --channel phone --idle-gap 10m --seal-on-end --since 30d
    """
    wanted = Wanted(idle_gap, grace, seal_on_end, max_duration, max_messages)
    moment = None if since is None else moment_of("--since", since, clock.now())
    scope, settings = scope_of(tenant, channel), Settings.load()
    policies = run(read_configured(settings)).policies
    stamps = _stamps(settings, policies, scope, wanted)
    with PhaseProgress() as progress:
        request = PreviewRequest(stamps, tenant, channel, moment)
        found = run(replay(settings, request, progress))
    _print(output, found)


def _stamps(settings: Settings, policies: Policies, scope: Scope, wanted: Wanted) -> Stamps:
    if wanted.is_empty():
        return as_of_now(policies, settings.gap_policies())
    return with_version(policies, scope, next_policy(policies, scope, wanted))


def _print(output: Output, found: Preview) -> None:
    channels = [
        {"channel": name or "(none)", **counts} for name, counts in found.by_channel.items()
    ]
    passes = [_pass_row(cost) for _, cost in sorted(found.costs.items())]
    if output is not Output.TABLE:
        by_channel = [{"channel": name, **counts} for name, counts in found.by_channel.items()]
        print_data(output, {"channels": by_channel, "passes": passes})
        return
    print_rows(output, channels, _COLUMNS)
    if passes:
        print_rows(output, passes, _PASS_COLUMNS)
    say(_summary(found))


def _pass_row(cost: PassCost) -> dict[str, Any]:
    return {
        "pass": cost.pass_name,
        "version": cost.pass_version,
        "verdicts": cost.verdicts,
        "runs": cost.runs,
        "seconds": round(cost.seconds, 1),
        "expected_seconds": round(cost.expected_seconds, 1),
    }


def _summary(found: Preview) -> str:
    before = sum(counts["before"] for counts in found.by_channel.values())
    after = sum(counts["after"] for counts in found.by_channel.values())
    unchanged = sum(counts["unchanged"] for counts in found.by_channel.values())
    if unchanged == before == after:
        return f"Nothing would change: {before:,} segments as they are."
    return (
        f"{before:,} segments would be {after:,}; {unchanged:,} would be as they are. Nothing was "
        "changed, and `parley policy set` changes nothing of the past."
    )
