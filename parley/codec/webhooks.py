"""Webhooks: records of parley.config.v1 to values and back."""

from typing import Final

from parley.codec.record import InvalidRecord
from parley.codec.times import set_timestamp, to_datetime
from parley.codec.validity import check_name
from parley.errors import UserError
from parley.webhooks.addresses import target_of
from parley.webhooks.webhook import MAX_CHOSEN, WEBHOOK_ID, Webhook
from parley.wire import config_pb2

_CHECK_BYTES: Final = 8
_MOST_VERSIONS: Final = 1_000_000


def write_webhook(wire: config_pb2.Webhook, webhook: Webhook) -> None:
    """Write a webhook into a field of a message."""
    for field in ("webhook_id", "url", "secret_version", "secret_check"):
        setattr(wire, field, getattr(webhook, field))
    for field in ("is_live_only", "is_enabled", "is_removed"):
        setattr(wire, field, getattr(webhook, field))
    wire.passes.extend(webhook.passes)
    wire.categories.extend(webhook.categories)
    if webhook.former_until is not None:
        set_timestamp(wire.former_until, webhook.former_until)


def read_webhook(wire: config_pb2.Config) -> Webhook:
    """A tenant's webhook; raises InvalidRecord."""
    part = wire.webhook
    check_name("tenant", wire.tenant_id)
    if WEBHOOK_ID.fullmatch(part.webhook_id) is None:
        raise InvalidRecord("webhook", "a webhook's name has 1 to 64 letters, digits, dots, dashes")
    for name in (*part.passes, *part.categories):
        check_name("name", name)
    if max(len(part.passes), len(part.categories)) > MAX_CHOSEN:
        raise InvalidRecord("webhook", f"a webhook names at most {MAX_CHOSEN} passes")
    is_versioned = 1 <= part.secret_version <= _MOST_VERSIONS
    if not is_versioned or len(part.secret_check) != _CHECK_BYTES:
        raise InvalidRecord("webhook", "a webhook has a secret of some version")
    try:
        target_of(part.url)
    except UserError as error:
        raise InvalidRecord("url", error.problem) from error
    return Webhook(
        part.webhook_id,
        part.url,
        part.secret_version,
        part.secret_check,
        tuple(part.passes),
        tuple(part.categories),
        to_datetime(part.former_until) if part.HasField("former_until") else None,
        part.is_live_only,
        part.is_enabled,
        part.is_removed,
    )
