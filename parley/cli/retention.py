"""`parley retention`: how long the tables keep what a tenant's people said."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer

from parley import clock, retaining
from parley.cli import facts
from parley.cli.config_topic import Configured, configure, read_configured
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.phase_progress import PhaseProgress
from parley.cli.running import run
from parley.config import Retention
from parley.errors import UserError
from parley.retaining import Kept
from parley.settings import Settings

app = typer.Typer(
    help="How long the tables keep what was said; the log has its own retention.",
    no_args_is_help=True,
)

Tenant = Annotated[str, typer.Argument(help="The tenant's name.")]

_COLUMNS: Final = ("tenant", "keep_days", "cutoff", "changed_at", "changed_by")
_LONGEST_DAYS: Final = 36_500


@app.command("set")
def set_retention(
    tenant: Tenant,
    days: Annotated[
        int | None, typer.Option(min=1, max=_LONGEST_DAYS, help="Keep what is younger.")
    ] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Delete nothing from now on.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set how long a tenant's messages are kept; nothing is deleted before `retention apply`.

    Example: parley retention set acme --days 365
    """
    if (days is None) != forever:
        raise UserError("How long?", "Give either --days N or --forever.")
    settings = Settings.load()
    former = _retention(run(read_configured(settings)), tenant)
    configured = run(configure(settings, tenant, replace(former, keep_days=days)))
    print_rows(output, [_row(configured, tenant)], _COLUMNS)


@app.command("list")
def list_retention(output: OutputOption = Output.TABLE) -> None:
    """Show every tenant's retention, and up to when it was applied.

    Example: parley retention list -o json
    """
    configured = run(read_configured(Settings.load()))
    print_rows(output, [_row(configured, one) for one in sorted(configured.retention)], _COLUMNS)


@app.command("apply")
def apply_retention(
    tenant: Annotated[str | None, typer.Option(help="Only this one's.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would go, and delete nothing.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete from the tables what is older than its tenant's retention: run it once a day.

    The moment is recorded in the log first, so that every database that is filled from the log is
    kept to it. Interrupted, it is simply run again. The log itself is not touched.

    Examples: parley retention apply --dry-run

    parley retention apply --tenant acme
    """
    settings = Settings.load()
    configured = run(read_configured(settings))
    wanted = [tenant] if tenant is not None else sorted(configured.retention)
    due = [one for name in wanted if (one := _due(configured, name, clock.now())) is not None]
    if not due:
        say("No tenant has a retention: see `parley retention set --help`.")
    if not dry_run:
        for one in due:
            run(_record(settings, configured, one))
    rows = run(_apply(settings, due, dry_run=dry_run))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    print_rows(output, rows, columns)


def _retention(configured: Configured, tenant: str) -> Retention:
    latest = configured.retention.get(tenant)
    return Retention() if latest is None else latest.body


def _due(configured: Configured, tenant: str, now: datetime) -> Kept | None:
    """The moment to which a tenant is to be kept: whole days back, and never back again."""
    kept = _retention(configured, tenant)
    moments = [] if kept.cutoff is None else [kept.cutoff]
    if kept.keep_days is not None:
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        moments.append(today - timedelta(days=kept.keep_days))
    return Kept(tenant, max(moments)) if moments else None


async def _record(settings: Settings, configured: Configured, kept: Kept) -> None:
    former = _retention(configured, kept.tenant_id)
    if former.cutoff != kept.cutoff:
        await configure(settings, kept.tenant_id, replace(former, cutoff=kept.cutoff))


async def _apply(settings: Settings, due: list[Kept], *, dry_run: bool) -> list[dict[str, Any]]:
    rows = []
    async with facts.connection_pool(settings) as pool:
        for one in due:
            counts = await retaining.count(pool, one)
            rows.append({"tenant": one.tenant_id, "cutoff": one.cutoff, **counts})
            if not dry_run:
                with PhaseProgress() as progress:
                    progress.begin(one.tenant_id, sum(counts.values()))
                    await retaining.keep(pool, one, progress.advance)
                    await retaining.keep_answers(pool, one, progress.advance)
    return rows


def _row(configured: Configured, tenant: str) -> dict[str, Any]:
    latest = configured.retention[tenant]
    return {
        "tenant": tenant,
        "keep_days": latest.body.keep_days or "for ever",
        "cutoff": latest.body.cutoff,
        "changed_at": latest.changed_at,
        "changed_by": latest.changed_by,
    }
