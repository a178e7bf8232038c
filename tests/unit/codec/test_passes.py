"""What operators say of passes survives the wire, and nothing half true gets through."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord, LogRecord
from parley.codec.config import config_key, decode_config, encode_config, parse_config_key
from parley.codec.definitions import decode_definition, definition_fields, encode_definition
from parley.config import ConfigBody, ConfigChange, ConfigKind
from parley.passes.applied import AppliedPass, SealsPosition
from parley.passes.definition import PassDefinition
from parley.wire import config_pb2
from tests.unit.passes.samples import CODE, NOON, PROMPT, active, applied, change, wanted

CHANGES = (
    change(applied(CODE)),
    change(applied(PROMPT)),
    change(AppliedPass(CODE, "f" * 64)),
    change(active((1, 0))),
    change(active((1, 7), (2, None))),
    change(active((3, 2**40)).disabled()),
    change(active((1, 7)).resumed(NOON)),
    change(wanted("summary"), "acme"),
    change(wanted("insight", category=True, on=False), "acme"),
)


def record(one: ConfigChange, value: bytes | None = None) -> LogRecord:
    return LogRecord("parley.config.v1", 0, 0, NOON, config_key(one), value or encode_config(one))


@pytest.mark.parametrize("one", CHANGES)
def test_what_is_said_survives_the_wire(one: ConfigChange) -> None:
    assert decode_config(record(one)) == one


@pytest.mark.parametrize("definition", [CODE, PROMPT])
def test_a_definition_is_the_same_pass_after_the_wire(definition: PassDefinition) -> None:
    read = decode_definition(encode_definition(definition))
    assert read == definition
    assert read.fingerprint == definition.fingerprint


def test_every_field_of_a_definition_is_written() -> None:
    written = set(definition_fields(PROMPT))
    names = {one.name for one in fields(PassDefinition)}
    assert written == names - {"timeout"} | {"timeout_seconds"}


def test_a_version_has_a_key_of_its_own_and_an_activation_has_none() -> None:
    two = [change(applied(version=1)), change(applied(version=2))]
    assert [parse_config_key(config_key(one)) for one in two] == [
        (ConfigKind.DEFINITION, "", "turns", 1),
        (ConfigKind.DEFINITION, "", "turns", 2),
    ]
    assert config_key(change(active((1, 0)))) == config_key(change(active((2, 9))))
    assert parse_config_key(b"pass_definition\0\0turns\0") is None
    about = {config_key(change(wanted("x", category=one), "acme")) for one in (True, False)}
    assert len(about) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": 1},
        {"version": 0},
        {"version": True},
        {"version": 2**63},
        {"kind": "magic"},
        {"category": None},
        {"output_schema": []},
        {"parameters": "x"},
        {"prompt": "inline"},
        {"prompt": {"name": "p", "version": 1, "system": "s"}},
        {"target": {"tenant_ids": [1], "channels": [], "min_messages": 1}},
        {"target": {"tenant_ids": [], "channels": []}},
        {"sampling": 1.5},
        {"timeout_seconds": -1},
        {"timeout_seconds": 1e300},
        {"attempts": 0},
        {"daily_budget_micro_usd": -1},
        {"description": "a\0b"},
    ],
)
def test_a_definition_that_says_something_impossible_is_invalid(changed: dict[str, Any]) -> None:
    text = json.dumps({**definition_fields(CODE), **changed})
    with pytest.raises(InvalidRecord):
        decode_definition(text)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":NaN}', '{"a":1e99999}', "[" * 100_000])
def test_what_is_no_definition_is_invalid(text: str) -> None:
    with pytest.raises(InvalidRecord):
        decode_definition(text)


def test_fields_of_a_later_release_are_passed_over() -> None:
    text = json.dumps({**definition_fields(CODE), "of_tomorrow": 1})
    assert decode_definition(text) == CODE


def no_offsets(body: config_pb2.Config) -> None:
    del body.pass_activation.versions[:]


@pytest.mark.parametrize(
    ("body", "spoil", "reason"),
    [
        (applied(), lambda wire: setattr(wire.pass_definition, "version", 2), "definition"),
        (applied(), lambda wire: setattr(wire.pass_definition, "fingerprint", "x"), "fingerprint"),
        (applied(), lambda wire: setattr(wire, "tenant_id", "acme"), "tenant"),
        (applied(), lambda wire: setattr(wire.pass_definition, "kind", 0), "enum"),
        (active((1, 0)), no_offsets, "activation"),
        (active((0, 0)), lambda _: None, "activation"),
        (active((1, -1)), lambda _: None, "activation"),
        (active((1, 0), name=""), lambda _: None, "name"),
        (active(*[(1, 0)] * 17), lambda _: None, "activation"),
        (wanted("x"), lambda _: None, "name"),
    ],
)
def test_a_record_that_nobody_could_follow_is_invalid(
    body: ConfigBody, spoil: Any, reason: str
) -> None:
    told = change(body)
    wire = config_pb2.Config.FromString(encode_config(told))
    spoil(wire)
    with pytest.raises(InvalidRecord) as caught:
        decode_config(record(told, wire.SerializeToString()))
    assert caught.value.reason == reason


def test_a_record_under_another_versions_key_is_invalid() -> None:
    one, two = change(applied(version=1)), change(applied(version=2))
    with pytest.raises(InvalidRecord, match="something else"):
        decode_config(record(one, encode_config(two)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text('ab\n"é你', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text('ab\n"é你', max_size=3), JSON, max_size=3), st.floats(0, 1))
def test_any_parameters_and_any_sampling_survive(
    parameters: dict[str, Any], sampling: float
) -> None:
    made = replace(PROMPT, parameters=parameters, sampling=sampling)
    assert decode_definition(encode_definition(made)) == made


def test_a_position_without_partitions_precedes_everything() -> None:
    assert SealsPosition("one", ()).precedes("one", 0, 0)
