"""`parley webhooks test`: one signed request from here, and what was answered."""

from ipaddress import ip_network
from typing import Annotated, Any, Final

import typer

from parley import clock
from parley.cli.config_topic import read_configured
from parley.cli.output import Output, OutputOption, print_data, say
from parley.cli.running import run
from parley.cli.webhooks.options import (
    DEFAULT_TENANT,
    TenantOption,
    WebhookArgument,
    known,
    server_key,
)
from parley.errors import UserError
from parley.settings import Settings
from parley.webhooks.addresses import target_of
from parley.webhooks.body import trial_body
from parley.webhooks.delivery import trial_id
from parley.webhooks.request import headers_of, is_key_of
from parley.webhooks.sending import Limits, send

_TIMEOUT_S: Final = 10.0
_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def try_out(
    webhook: WebhookArgument,
    *,
    allow_private: Annotated[
        bool,
        typer.Option("--allow-private", help="Also where its address is not public, or no TLS."),
    ] = False,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send a signed request of the type `test` from this machine, and say what was answered.

    Exit status 1 where the receiver does not take it. The analyzer may see another network.

    Try:

        parley webhooks test crm
    """
    settings = Settings.load()
    key = server_key(settings)
    found = known(run(read_configured(settings)), tenant, webhook).body
    if not is_key_of(key, tenant, found):
        raise UserError(
            "PARLEY_WEBHOOK_KEY is another than the one that this webhook was made with.",
            f"Set that one, or make a new secret with `parley webhooks rotate {webhook}`.",
        )
    delivery_id = trial_id()
    body = trial_body(tenant, webhook, delivery_id)
    headers = headers_of(key, tenant, found, delivery_id, body, clock.now())
    limits = Limits(_TIMEOUT_S, _EVERYWHERE if allow_private else ())
    answer = run(send(target_of(found.url), headers, body, limits))
    facts: dict[str, Any] = {
        "webhook": webhook,
        "delivery": delivery_id,
        "status": answer.status,
        "problem": answer.problem,
        "latency_seconds": round(answer.latency_seconds, 3),
    }
    if output is not Output.TABLE:
        print_data(output, facts)
    else:
        what = f"status {answer.status}" if answer.status else answer.problem
        verb = "took it" if answer.is_success else "did not take it"
        say(f"{webhook} {verb}: {what} after {answer.latency_seconds:.3f} s.")
    if not answer.is_success:
        raise typer.Exit(1)
