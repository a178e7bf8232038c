"""The settings of what is sent to webhooks."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

from pydantic import Field

from parley.settings import Settings, Span


class WebhookSettings(Settings):
    """How requests are sent, where they may go, and when a receiver is given up."""

    analyzer_webhook_requests: int = Field(
        default=4, ge=1, le=100, description="requests at the same time to one webhook"
    )
    analyzer_webhook_timeout: Span = Field(
        default=timedelta(seconds=10),
        ge=timedelta(milliseconds=100),
        le=timedelta(seconds=60),
        description="how long a request to a webhook may take, all in all",
    )
    analyzer_webhook_networks: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="JSON: networks that are not public and that webhooks may reach, also without "
        'TLS, such as ["127.0.0.0/8"]',
    )
    analyzer_webhook_attempts: int = Field(
        default=100, ge=1, le=1_000, description="requests after which a delivery is given up"
    )
    analyzer_webhook_rest: Span = Field(
        default=timedelta(seconds=5),
        ge=timedelta(milliseconds=10),
        description="wait after a delivery's first failure; it doubles with each, up to an hour",
    )
    analyzer_webhook_disable_after: Span = Field(
        default=timedelta(days=3),
        ge=timedelta(seconds=1),
        description="how long a webhook fails without one success until it is told nothing more",
    )
