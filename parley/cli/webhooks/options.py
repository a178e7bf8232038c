"""What the commands about webhooks are asked by, and how they find the one that is meant."""

from typing import Annotated, Final

import typer

from parley.cli.config_topic import Configured, Latest
from parley.errors import UserError
from parley.settings import Settings
from parley.webhooks.webhook import Webhook

DEFAULT_TENANT: Final = "default"

TenantOption = Annotated[str, typer.Option(help="Whose verdicts.")]
WebhookArgument = Annotated[
    str, typer.Argument(help="The webhook's name, as `parley webhooks list` shows it.")
]


def known(configured: Configured, tenant: str, name: str) -> Latest[Webhook]:
    """The webhook that is meant; raises UserError."""
    latest = configured.webhooks.get((tenant, name))
    if latest is None or latest.body.is_removed:
        raise unknown(tenant, name)
    return latest


def unknown(tenant: str, name: str) -> UserError:
    """What a person is told of one that there is not."""
    return UserError(
        f"Tenant {tenant} has no webhook {name}.", f"See `parley webhooks list --tenant {tenant}`."
    )


def server_key(settings: Settings) -> str:
    """The key that secrets are derived from; raises UserError without one."""
    if settings.webhook_key is not None:
        return settings.webhook_key.get_secret_value()
    raise UserError(
        "PARLEY_WEBHOOK_KEY is not set, so there is nothing to derive secrets from.",
        "Make one with `openssl rand -hex 32`, keep it where secrets are kept, and give the same "
        "one to this command and to the analyzer.",
    )
