"""Puts a request together: its headers, and the signatures of the moment at which it goes out."""

from datetime import datetime
from typing import Final

from parley.webhooks.signing import SIGNATURE_HEADER, check_of, secret_of, signature
from parley.webhooks.webhook import Webhook

DELIVERY_HEADER: Final = "Parley-Delivery"
WEBHOOK_HEADER: Final = "Parley-Webhook"


def headers_of(
    server_key: str, tenant_id: str, webhook: Webhook, delivery_id: str, body: bytes, now: datetime
) -> dict[str, str]:
    """What goes with a body: who is told, the delivery's id, and a signature by each secret."""
    secrets = {
        version: secret_of(server_key, tenant_id, webhook.webhook_id, version)
        for version in webhook.secret_versions(now)
    }
    return {
        WEBHOOK_HEADER: webhook.webhook_id,
        DELIVERY_HEADER: delivery_id,
        SIGNATURE_HEADER: signature(secrets, int(now.timestamp()), body),
    }


def is_key_of(server_key: str, tenant_id: str, webhook: Webhook) -> bool:
    """Whether the webhook's secret was derived from this key: no other may sign for it."""
    secret = secret_of(server_key, tenant_id, webhook.webhook_id, webhook.secret_version)
    return check_of(secret) == webhook.secret_check
