"""The services' processes, ports and environments follow from what the user asked for."""

import socket
from pathlib import Path

import pytest

from parley.errors import UserError
from parley.local import services
from parley.local.stack import Endpoints
from parley.local.state import StateFile

_ENDPOINTS = Endpoints("127.0.0.1:1", "postgresql://parley:secret@127.0.0.1:2/parley")


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PARLEY_HTTP_PORT", "PARLEY_CHANNEL_POLICIES"):
        monkeypatch.delenv(name, raising=False)


def test_every_service_runs_once_unless_told_otherwise() -> None:
    assert services.process_names(services.parse_replicas([])) == [
        "gateway",
        "persister",
        "sealer",
        "analyzer",
        "activity",
    ]


def test_replicas_are_numbered_from_the_second() -> None:
    names = services.process_names(services.parse_replicas(["persister=3"]))
    assert names[1:4] == ["persister", "persister-2", "persister-3"]


@pytest.mark.parametrize("entry", ["persister", "persister=0", "persister=x", "nobody=2", "=2"])
def test_replicas_that_make_no_sense_are_refused_by_name(entry: str) -> None:
    with pytest.raises(UserError, match=entry):
        services.parse_replicas([entry])


def test_ports_of_the_last_start_are_used_again(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "stack.json")
    first = services.choose_ports(["gateway", "sealer"], state)
    assert services.choose_ports(["gateway", "sealer"], state) == first


def test_a_taken_port_that_the_user_demanded_is_an_error_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("PARLEY_HTTP_PORT", str(port))
        with pytest.raises(UserError, match=f"Port {port} .* is taken by process"):
            services.choose_ports(["gateway"], StateFile(tmp_path / "stack.json"))


@pytest.mark.parametrize("value", ["web", "0", "70000"])
def test_a_demanded_port_that_is_none_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PARLEY_HTTP_PORT", value)
    with pytest.raises(UserError, match=f"PARLEY_HTTP_PORT is {value}"):
        services.choose_ports(["gateway"], StateFile(tmp_path / "stack.json"))


def test_services_are_told_where_the_stack_is_and_get_short_gaps_for_the_demo() -> None:
    [spec] = services.specs(_ENDPOINTS, {"persister-2": 7})
    assert spec.name == "persister-2"
    assert spec.argv[-1] == "services.persister.main"
    assert spec.url == "http://127.0.0.1:7"
    assert spec.env["PARLEY_KAFKA_BOOTSTRAP"] == _ENDPOINTS.kafka_bootstrap
    assert spec.env["DATABASE_URL"] == _ENDPOINTS.database_url
    assert spec.env["PARLEY_HTTP_PORT"] == "7"
    assert spec.env["PARLEY_CHANNEL_POLICIES"] == services.DEMO_POLICIES


def test_policies_of_the_user_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_CHANNEL_POLICIES", "{}")
    assert services.environment_of(_ENDPOINTS, 7)["PARLEY_CHANNEL_POLICIES"] == "{}"
