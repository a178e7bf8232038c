"""What operators set survives the wire, under keys by which the latest is kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord, LogRecord
from parley.codec.config import (
    config_key,
    config_record,
    decode_config,
    encode_config,
    parse_config_key,
)
from parley.config import ApiKey, ConfigChange, ConfigKind, GapPolicy, Tenant, Unread
from parley.events import Policy
from parley.wire import config_pb2
from tests.unit.codec.samples import NOON

TENANT = ConfigChange("acme", "ops", NOON, Tenant("acme", "Acme, Inc.", is_enabled=False))
KEY = ConfigChange(
    "acme",
    "ops",
    NOON,
    ApiKey(
        "0123456789abcdef",
        b"\x00\xff" * 16,
        "shop-backend",
        ("agent", "a-role-of-tomorrow"),
        expires_at=NOON + timedelta(days=90, microseconds=1),
        revoked_at=NOON + timedelta(days=1),
    ),
)
POLICY = Policy("channel:phone", 2, timedelta(minutes=20), timedelta(0), seal_on_end=True)
SET = ConfigChange("", "ops", NOON, GapPolicy("phone", POLICY))
CHANGES = (
    SET,
    ConfigChange("acme", "ops", NOON, GapPolicy("", POLICY, is_withdrawn=True)),
    TENANT,
    KEY,
    replace(KEY, body=ApiKey("k", b"h" * 32, "s", ())),
)


def policy_set(**changed: Any) -> ConfigChange:
    return replace(SET, body=GapPolicy("phone", replace(POLICY, **changed)))


def record(change: ConfigChange, key: bytes | None = None, value: bytes | None = None) -> LogRecord:
    return LogRecord(
        "parley.config.v1", 0, 0, NOON, key or config_key(change), value or encode_config(change)
    )


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_set_survives_the_wire(change: ConfigChange) -> None:
    assert decode_config(record(change)) == change


@pytest.mark.parametrize("change", [TENANT, KEY])
def test_a_record_says_what_it_is_about_by_its_key_alone(change: ConfigChange) -> None:
    outgoing = config_record("parley.config.v1", change)
    kind, tenant_id, name, version = parse_config_key(outgoing.key) or pytest.fail("no key")
    assert (kind, tenant_id) in {(ConfigKind.TENANT, "acme"), (ConfigKind.API_KEY, "acme")}
    assert name in {"acme", "0123456789abcdef"}
    assert version == 0


def test_a_revocation_replaces_the_key_that_it_revokes() -> None:
    assert isinstance(KEY.body, ApiKey)
    live = replace(KEY, body=replace(KEY.body, revoked_at=None), changed_by="somebody else")
    assert config_key(live) == config_key(KEY)


def test_tenants_keys_and_other_tenants_never_share_a_key() -> None:
    same_name = ConfigChange("acme", "", NOON, ApiKey("acme", b"h" * 32, "s", ()))
    elsewhere = replace(same_name, tenant_id="other")
    keys = {config_key(one) for one in (TENANT, same_name, elsewhere)}
    assert len(keys) == 3


def test_of_a_policy_every_version_has_a_key_of_its_own() -> None:
    assert parse_config_key(config_key(SET)) == (ConfigKind.GAP_POLICY, "", "phone", 2)
    others = [policy_set(version=3), replace(SET, tenant_id="acme")]
    assert len({config_key(one) for one in (SET, *others)}) == 3
    # Under another's name it would come back when that one is forgotten.
    with pytest.raises(InvalidRecord, match="something else"):
        decode_config(record(SET, key=config_key(others[0])))


@pytest.mark.parametrize("version", ["", "0", "02", "-1", "x", str(2**63)])
def test_a_policy_without_a_whole_version_is_nothing_that_is_read_here(version: str) -> None:
    assert parse_config_key(f"gap_policy\0\0phone\0{version}".encode()) is None


@pytest.mark.parametrize("key", [None, b"", b"tenant", b"\xff\0\0\0", b"prompt\0\0p\0", b"a\0b\0c"])
def test_other_keys_are_about_nothing_that_is_read_here(key: bytes | None) -> None:
    assert parse_config_key(key) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replace(TENANT, tenant_id="other"), "tenant"),
        (ConfigChange("", "", NOON, Tenant("")), "name"),
        (replace(KEY, tenant_id=""), "name"),
        (replace(KEY, body=ApiKey("k\0", b"h" * 32, "s", ())), "name"),
        (replace(KEY, body=ApiKey("k", b"h" * 32, "", ())), "name"),
        (replace(KEY, body=ApiKey("k", b"h" * 32, "ä" * 257, ())), "name"),
        (replace(KEY, body=ApiKey("k", b"h" * 31, "s", ())), "key_hash"),
        (policy_set(idle_gap=timedelta(0)), "policy"),
        (policy_set(max_messages=0), "policy"),
        (policy_set(version=0), "policy"),
        (policy_set(policy_id=""), "name"),
        (replace(SET, body=GapPolicy("p\0", POLICY)), "nul"),
        (replace(SET, tenant_id="t" * 513), "id_too_long"),
    ],
)
def test_what_no_gateway_could_follow_is_invalid(change: ConfigChange, reason: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        decode_config(record(change))
    assert caught.value.reason == reason


def test_a_record_under_the_key_of_another_is_invalid() -> None:
    with pytest.raises(InvalidRecord, match="something else"):
        decode_config(record(KEY, key=config_key(TENANT)))


def test_what_other_parts_read_is_no_fault() -> None:
    wire = config_pb2.Config(tenant_id="acme")
    wire.prompt.name = "p"
    other = record(TENANT, key=b"prompt\0acme\0p\x001", value=wire.SerializeToString())
    assert decode_config(other).body == Unread("prompt")
    with pytest.raises(ValueError, match="prompt"):
        encode_config(decode_config(other))


def test_a_record_that_sets_nothing_is_invalid() -> None:
    wire = config_pb2.Config(tenant_id="acme")
    with pytest.raises(InvalidRecord, match="body"):
        decode_config(record(TENANT, value=wire.SerializeToString()))


@given(st.one_of(st.none(), st.binary(max_size=200)), st.one_of(st.none(), st.binary(max_size=50)))
def test_random_bytes_never_raise_anything_else(value: bytes | None, key: bytes | None) -> None:
    parse_config_key(key)
    try:
        decode_config(LogRecord("t", 0, 0, NOON, key, value))
    except InvalidRecord as error:
        assert error.reason
