"""Secrets are derived from one key, and a signature is over the time and the body."""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from parley.webhooks.signing import check_of, secret_of, sign, signature
from parley.webhooks.webhook import Webhook

KEY = "k" * 32
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def webhook(**fields: object) -> Webhook:
    whole: dict[str, object] = {
        "webhook_id": "w",
        "url": "https://example.com/",
        "secret_version": 2,
        "secret_check": b"",
    }
    return Webhook(**{**whole, **fields})  # type: ignore[arg-type]


def test_a_secret_is_of_one_webhook_of_one_tenant_in_one_version() -> None:
    first = secret_of(KEY, "acme", "w1", 1)
    assert first == secret_of(KEY, "acme", "w1", 1)
    others = {
        secret_of(KEY, "acme", "w1", 2),
        secret_of(KEY, "acme", "w2", 1),
        secret_of(KEY, "other", "w1", 1),
        secret_of("l" * 32, "acme", "w1", 1),
        # The parts cannot run into each other.
        secret_of(KEY, "acmew", "1", 1),
    }
    assert len(others) == 5
    assert first not in others
    assert KEY not in first


def test_a_signature_covers_the_time_and_every_byte() -> None:
    expected = hmac.new(b"s", b"1764102000.{}", sha256).hexdigest()
    assert sign("s", 1764102000, b"{}") == expected
    assert sign("s", 1764102001, b"{}") != expected
    assert sign("s", 1764102000, b"{ }") != expected
    assert sign("t", 1764102000, b"{}") != expected


def test_during_a_rotation_both_secrets_sign() -> None:
    rotated = webhook(former_until=NOW)
    assert rotated.secret_versions(NOW - timedelta(seconds=1)) == (2, 1)
    assert rotated.secret_versions(NOW) == (2,)
    assert webhook().secret_versions(NOW) == (2,)
    assert webhook(secret_version=1, former_until=NOW).secret_versions(NOW - timedelta(1)) == (1,)
    value = signature({2: "b", 1: "a"}, 7, b"x")
    assert value == f"t=7,k2={sign('b', 7, b'x')},k1={sign('a', 7, b'x')}"


def test_a_check_tells_secrets_apart_and_does_not_tell_them() -> None:
    assert check_of("a") != check_of("b")
    assert len(check_of("a")) == 8


def test_a_webhook_wants_its_passes_and_categories_or_everything() -> None:
    def wanted(one: Webhook, *, is_backfill: bool = False) -> list[bool]:
        asked = (("topics", "llm"), ("sentiment", "sentiment"), ("language", "text"))
        return [one.wants(*each, is_backfill=is_backfill) for each in asked]

    assert wanted(webhook()) == [True, True, True]
    assert wanted(webhook(passes=("topics",))) == [True, False, False]
    assert wanted(webhook(passes=("topics",), categories=("text",))) == [True, False, True]
    assert wanted(webhook(is_enabled=False)) == [False, False, False]
    assert wanted(webhook(is_removed=True)) == [False, False, False]
    assert wanted(webhook(is_live_only=True), is_backfill=True) == [False, False, False]
    assert wanted(webhook(is_live_only=True)) == [True, True, True]
    assert wanted(webhook(), is_backfill=True) == [True, True, True]
