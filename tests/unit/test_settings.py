"""A wrong or unknown setting stops the start with its name."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from parley.errors import UserError
from parley.settings import Settings
from parley.topics import Topic


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("PARLEY_") or name in ("DATABASE_URL", "LOG_LEVEL"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as caught:
        Settings.load()
    return str(caught.value)


def test_an_unknown_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PARLEY_IDEL_GAP is not a setting" in refusal(monkeypatch, "PARLEY_IDEL_GAP", "5")


def test_a_name_that_everybody_uses_has_no_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "LOG_LEVEL" in refusal(monkeypatch, "PARLEY_LOG_LEVEL", "DEBUG")


def test_a_setting_of_a_service_is_none_of_the_others_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARLEY_GATEWAY_ANYTHING", "1")
    Settings.load()


def test_a_service_refuses_an_unknown_setting_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SealerSettings(Settings):
        sealer_patience: int = 1

    monkeypatch.setenv("PARLEY_SEALER_PATEINCE", "1")
    with pytest.raises(UserError, match="PARLEY_SEALER_PATEINCE"):
        SealerSettings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_IDLE_GAP", "soon"),
        ("PARLEY_IDLE_GAP", "0"),
        ("PARLEY_IDLE_GAP", "P400D"),
        ("PARLEY_GRACE", "-5"),
        ("PARLEY_CHANNEL_POLICIES", '{"demo":{"idle_gap":"0"}}'),
        ("PARLEY_CHANNEL_POLICIES", '{"demo":{"max_messages":3000000000}}'),
        ("PARLEY_HTTP_PORT", "70000"),
        ("PARLEY_PARTITIONS", "0"),
        ("PARLEY_CHANNEL_POLICIES", '{"demo":{"idle":"1"}}'),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert name in refusal(monkeypatch, name, value)


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush@127.0.0.1/x")
    assert "hush" not in repr(Settings.load())
    assert "hush" not in refusal(monkeypatch, "DATABASE_URL", "oracle://me:hush@127.0.0.1/x")


@pytest.mark.parametrize("text", ["90", "PT90S", "00:01:30"])
def test_a_span_reads_as_seconds_or_iso_8601(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PARLEY_IDLE_GAP", text)
    assert Settings.load().idle_gap == timedelta(seconds=90)


def test_a_channel_has_its_own_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = {"demo": {"idle_gap": "PT8S", "seal_on_end": True}}
    monkeypatch.setenv("PARLEY_CHANNEL_POLICIES", json.dumps(policies))
    policies_by_channel = Settings.load().gap_policies()
    demo, other = policies_by_channel["demo"], policies_by_channel[""]
    assert (demo.idle_gap, demo.seal_on_end) == (timedelta(seconds=8), True)
    assert demo.grace == other.grace == timedelta(seconds=60)
    assert (other.idle_gap, other.seal_on_end) == (timedelta(minutes=90), False)


def test_the_running_local_stack_is_found_and_the_environment_outranks_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".parley").mkdir()
    stack = {"kafka_bootstrap": "127.0.0.1:1", "database_url": "postgresql://u@127.0.0.1:2/x"}
    (tmp_path / ".parley" / "stack.json").write_text(json.dumps(stack))
    assert Settings.load().kafka_bootstrap == "127.0.0.1:1"
    monkeypatch.setenv("PARLEY_KAFKA_BOOTSTRAP", "127.0.0.1:3")
    assert Settings.load().kafka_bootstrap == "127.0.0.1:3"


def test_a_topic_that_took_anothers_place_has_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_TOPIC_PREFIX", "t.")
    monkeypatch.setenv("PARLEY_TOPIC_NAMES", '{"parley.events.v1": "parley.events.v1-2"}')
    settings = Settings.load()
    assert settings.topic(Topic.EVENTS) == "t.parley.events.v1-2"
    assert settings.topic(Topic.SEALS) == "t.parley.seals.v1"


@pytest.mark.parametrize("names", ['{"parley.event.v1": "a"}', '{"parley.events.v1": "a b"}'])
def test_a_name_of_a_topic_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    assert "PARLEY_TOPIC_NAMES is wrong" in refusal(monkeypatch, "PARLEY_TOPIC_NAMES", names)


def test_a_command_seals_as_the_services_of_the_running_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = Path(".parley")
    state.mkdir()
    told = {"kafka_bootstrap": "127.0.0.1:1", "channel_policies": {"demo": {"idle_gap": "PT8S"}}}
    (state / "stack.json").write_text(json.dumps(told))
    assert Settings.load().gap_policies()["demo"].idle_gap == timedelta(seconds=8)
    monkeypatch.setenv("PARLEY_CHANNEL_POLICIES", '{"demo": {"idle_gap": "PT9S"}}')
    assert Settings.load().gap_policies()["demo"].idle_gap == timedelta(seconds=9)
    monkeypatch.delenv("PARLEY_CHANNEL_POLICIES")
    monkeypatch.setenv("PARLEY_KAFKA_BOOTSTRAP", "127.0.0.1:2")
    assert set(Settings.load().gap_policies()) == {""}


def test_the_local_stacks_names_are_not_another_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Path(".parley")
    state.mkdir()
    named = {"kafka_bootstrap": "127.0.0.1:1", "topic_names": {"parley.events.v1": "other"}}
    (state / "stack.json").write_text(json.dumps(named))
    assert Settings.load().topic(Topic.EVENTS) == "other"
    monkeypatch.setenv("PARLEY_KAFKA_BOOTSTRAP", "127.0.0.1:2")
    assert Settings.load().topic(Topic.EVENTS) == "parley.events.v1"
