"""`parley passes subscribe`, `unsubscribe` and `subscriptions`: which passes a tenant wants."""

from typing import Annotated, Any, Final

import typer

from parley.cli.config_topic import who
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.codec import InvalidRecord
from parley.codec.validity import check_name
from parley.errors import UserError
from parley.passes.applied import Subscription
from parley.passes.catalog import Catalog
from parley.passes.publishing import publish, read_catalog
from parley.settings import Settings

TargetArgument = Annotated[
    str, typer.Argument(help="The name of a pass; with --category, of a category.")
]
TenantOption = Annotated[str, typer.Option(help="Whose segments.")]
CategoryOption = Annotated[
    bool, typer.Option("--category", help="All passes of the category, those to come too.")
]

_COLUMNS: Final = ("pass", "category", "kind", "is_run", "because", "since", "by")


def subscribe(
    target: TargetArgument,
    *,
    tenant: TenantOption = "default",
    category: CategoryOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run a pass, or all of a category, over a tenant's segments from now on.

    Passes of the kind code are run for everybody who has not unsubscribed; those of the kind prompt
    cost money, and are run for nobody who has not subscribed. What is said of a pass wins over what
    is said of its category.

    Examples: parley passes subscribe summary --tenant acme

    parley passes subscribe insight --category --tenant acme
    """
    _set(target, tenant, output, is_category=category, is_enabled=True)


def unsubscribe(
    target: TargetArgument,
    *,
    tenant: TenantOption = "default",
    category: CategoryOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run a pass, or the passes of a category, over a tenant's segments no more.

    Example: parley passes unsubscribe sentiment --tenant acme
    """
    _set(target, tenant, output, is_category=category, is_enabled=False)


def subscriptions(
    tenant: TenantOption = "default",
    output: OutputOption = Output.TABLE,
) -> None:
    """Show for every pass whether it is run over a tenant's segments, and because of what.

    Example: parley passes subscriptions --tenant acme
    """
    catalog = run(read_catalog(Settings.load()))
    _print(catalog, tenant, output)


def _set(target: str, tenant: str, output: Output, *, is_category: bool, is_enabled: bool) -> None:
    settings = Settings.load()
    catalog = run(read_catalog(settings))
    _check(catalog, target, tenant, is_category=is_category)
    body = Subscription(target, is_category, is_enabled)
    run(publish(settings, [body], who(), tenant))
    catalog = run(read_catalog(settings))
    held = catalog.subscription(tenant, body.about)
    if held is None or held.body != body:
        raise UserError(
            "Somebody else changed the same at the same moment.",
            f"See with `parley passes subscriptions --tenant {tenant}` what is set now.",
        )
    _print(catalog, tenant, output)


def _check(catalog: Catalog, target: str, tenant: str, *, is_category: bool) -> None:
    try:
        check_name("tenant", tenant)
    except InvalidRecord as error:
        raise UserError(f"--tenant cannot be used: {error.detail}.", "Give its name.") from error
    latest = [catalog.latest(name).definition for name in catalog.names()]
    known = {one.category if is_category else one.name for one in latest}
    if target not in known:
        what = "category" if is_category else "pass"
        other = {one.name if is_category else one.category for one in latest}
        swap = " without --category" if is_category else " with --category"
        raise UserError(
            f"There is no {what} {target}.",
            f"Did you mean it{swap}?" if target in other else f"There is {_names(known)}.",
        )


def _names(known: set[str]) -> str:
    return ", ".join(sorted(known)) or "none yet: see `parley passes apply`"


def _print(catalog: Catalog, tenant: str, output: Output) -> None:
    rows = [_row(catalog, tenant, name) for name in catalog.names()]
    print_rows(output, rows, _COLUMNS)
    if any(row["is_run"] and not row["is_in_force"] for row in rows):
        say("Some of them are in force in no version: see `parley passes list`.")


def _row(catalog: Catalog, tenant: str, name: str) -> dict[str, Any]:
    counting = catalog.in_force(name)
    definition = (counting or catalog.latest(name)).definition
    told = catalog.subscription(tenant, f"pass:{name}")
    by_category = catalog.subscription(tenant, f"category:{definition.category}")
    said = told or by_category
    because = "its kind"
    if said is not None:
        because = "the pass" if told else "its category"
    return {
        "pass": name,
        "category": definition.category,
        "kind": definition.kind.value,
        "is_run": catalog.is_subscribed(tenant, definition),
        "is_in_force": counting is not None,
        "because": because,
        "since": None if said is None else said.changed_at,
        "by": "" if said is None else said.changed_by,
    }
