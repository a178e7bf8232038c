"""A webhook survives the wire, and one that could do harm is refused at the door."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from parley.codec import InvalidRecord, LogRecord
from parley.codec.config import config_key, decode_config, encode_config, parse_config_key
from parley.config import ConfigChange, ConfigKind
from parley.webhooks.webhook import MAX_CHOSEN, Webhook
from tests.unit.codec.samples import NOON

WEBHOOK = Webhook(
    "crm",
    "https://example.com/in",
    2,
    b"12345678",
    ("topics", "sentiment"),
    ("quality",),
    NOON + timedelta(days=1),
    is_live_only=True,
)
CHANGE = ConfigChange("acme", "ops", NOON, WEBHOOK)


def record(change: ConfigChange) -> LogRecord:
    return LogRecord("parley.config.v1", 0, 0, NOON, config_key(change), encode_config(change))


@pytest.mark.parametrize(
    "webhook",
    [
        WEBHOOK,
        replace(WEBHOOK, former_until=None, passes=(), categories=(), is_live_only=False),
        replace(WEBHOOK, is_enabled=False),
        replace(WEBHOOK, is_removed=True),
    ],
)
def test_a_webhook_survives_the_wire(webhook: Webhook) -> None:
    change = replace(CHANGE, body=webhook)
    assert decode_config(record(change)) == change


def test_what_was_set_of_it_replaces_what_was_set_before() -> None:
    removed = replace(CHANGE, body=replace(WEBHOOK, is_removed=True))
    assert config_key(removed) == config_key(CHANGE)
    about = parse_config_key(config_key(CHANGE))
    assert about == (ConfigKind.WEBHOOK, "acme", "crm", 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_id": ""},
        {"webhook_id": "nul\0"},
        {"webhook_id": "crm\r\nX-Evil: 1"},
        {"webhook_id": "a" * 65},
        {"url": "ftp://example.com/"},
        {"url": "https://user:secret@example.com/"},
        {"secret_version": 0},
        {"secret_check": b""},
        {"passes": ("",)},
        {"categories": tuple(str(number) for number in range(MAX_CHOSEN + 1))},
    ],
)
def test_what_could_do_harm_is_refused(wrong: dict[str, Any]) -> None:
    change = replace(CHANGE, body=replace(WEBHOOK, **wrong))
    with pytest.raises(InvalidRecord):
        decode_config(record(change))


def test_a_webhook_belongs_to_a_tenant() -> None:
    with pytest.raises(InvalidRecord):
        decode_config(record(replace(CHANGE, tenant_id="")))
