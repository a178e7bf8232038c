"""`parley tenant` and `parley keys` on a real log."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from parley import clock
from parley.api_keys import parse_key
from parley.codec import Outgoing
from parley.codec.config import CONFIG_HEADERS
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import Command, said
from tests.support.topics import read_records

pytestmark = pytest.mark.integration


@pytest.fixture
def command(settings: Settings) -> Command:
    """The command, without a database: none is needed."""
    nowhere = SecretStr("postgresql://nobody@127.0.0.1:1/none")
    return Command(settings.model_copy(update={"database_url": nowhere}))


async def run(command: Command, *arguments: str) -> tuple[int, str, str]:
    ended = await asyncio.to_thread(command, *arguments)
    return ended.returncode, ended.stdout.decode(), said(ended)


async def as_json(command: Command, *arguments: str) -> Any:
    return await asyncio.to_thread(command.json, *arguments)


async def test_a_key_lives_from_its_creation_to_its_revocation(
    settings: Settings, command: Command
) -> None:
    [tenant] = await as_json(command, "tenant", "create", "acme", "--display-name", "Acme, Inc.")
    assert (tenant["tenant"], tenant["state"], tenant["keys"]) == ("acme", "enabled", 0)
    create = ("keys", "create", "--tenant", "acme", "--subject", "shop-backend")
    made = await as_json(
        command, *create, "--role", "reader", "--role", "agent", "--expires", "90d"
    )
    assert (made["roles"], made["state"]) == ("agent, reader", "usable")
    left = datetime.fromisoformat(made["expires_at"]) - clock.now()
    assert timedelta(days=89, hours=23) < left < timedelta(days=90)

    [listed] = await as_json(command, "keys", "list")
    assert {**listed, "key": made["key"]} == made
    [tenant] = await as_json(command, "tenant", "list")
    assert tenant["keys"] == 1

    [revoked] = await as_json(command, "keys", "revoke", made["key_id"])
    assert revoked["state"] == "revoked"
    assert await as_json(command, "keys", "list", "--tenant", "acme") == [revoked]

    written = await read_records(settings.model_copy(update={"partitions": 1}), Topic.CONFIG)
    presented = parse_key(made["key"])
    assert presented is not None
    for record in written:
        assert presented.secret not in (record.value or b"")
        assert presented.secret.hex().encode() not in (record.value or b"")
    # The revocation replaces what it revokes, however early the topic is compacted.
    assert written[-1].key == written[-2].key


async def test_the_key_alone_goes_to_stdout(command: Command) -> None:
    await as_json(command, "tenant", "create", "acme")
    status, out, told = await run(
        command, *("keys", "create", "--tenant", "acme", "--subject", "s", "--role", "user")
    )
    assert status == 0
    presented = parse_key(out.strip())
    assert presented is not None
    assert "this once" in told
    assert "never expires" in told
    assert presented.secret.hex() not in told
    # A whole key may be revoked as it was found.
    status, out, told = await run(command, "keys", "revoke", presented.text)
    assert status == 0
    assert presented.secret.hex() not in out + told


async def test_a_tenant_is_disabled_and_enabled_again(command: Command) -> None:
    await as_json(command, "tenant", "create", "acme", "--display-name", "Acme")
    await as_json(
        command, *("keys", "create", "--tenant", "acme", "--subject", "s", "--role", "user")
    )
    [disabled] = await as_json(command, "tenant", "disable", "acme")
    assert (disabled["state"], disabled["keys"]) == ("disabled", 0)
    [key] = await as_json(command, "keys", "list")
    assert key["state"] == "tenant disabled"
    status, _, told = await run(command, "tenant", "disable", "acme")
    assert status == 0
    assert "disabled already" in told
    [enabled] = await as_json(command, "tenant", "enable", "acme")
    assert (enabled["state"], enabled["display_name"], enabled["keys"]) == ("enabled", "Acme", 1)


async def test_what_cannot_be_is_told_in_words(command: Command) -> None:
    await as_json(command, "tenant", "create", "acme")
    key = ("keys", "create", "--tenant", "acme", "--role", "user")
    for arguments, said_of in (
        (("tenant", "create", "acme"), "exists already"),
        (("tenant", "create", "a/b"), "cannot be a tenant's name"),
        (("tenant", "disable", "nobody"), "no tenant nobody"),
        (("keys", "create", "--tenant", "no", "--subject", "s", "--role", "user"), "no tenant no"),
        (("keys", "list", "--tenant", "no"), "no tenant no"),
        ((*key, "--subject", ""), "--subject cannot be used"),
        ((*key, "--subject", "s", "--expires", "soon"), "--expires soon is not understood"),
        (("keys", "revoke", "0123456789abcdef"), "There is no key"),
    ):
        status, out, told = await run(command, *arguments)
        assert (status, out) == (1, ""), told
        assert said_of in told
    assert await as_json(command, "keys", "list") == []


async def test_a_revoked_key_is_not_revoked_twice(settings: Settings, command: Command) -> None:
    await as_json(command, "tenant", "create", "acme")
    made = await as_json(
        command, *("keys", "create", "--tenant", "acme", "--subject", "s", "--role", "user")
    )
    [first] = await as_json(command, "keys", "revoke", made["key_id"])
    [second] = await as_json(command, "keys", "revoke", made["key_id"])
    assert first == second
    written = await read_records(settings.model_copy(update={"partitions": 1}), Topic.CONFIG)
    assert len(written) == 3


async def test_what_was_deleted_by_hand_is_not_listed(settings: Settings, command: Command) -> None:
    await as_json(command, "tenant", "create", "acme")
    [record] = await read_records(settings.model_copy(update={"partitions": 1}), Topic.CONFIG)
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.send(Outgoing(record.topic, record.key, b"broken", CONFIG_HEADERS))
    finally:
        await producer.stop()
    assert await as_json(command, "tenant", "list") == []
