"""What docker-compose.yml promises and can be read from it, without an engine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import AliasChoices

from parley.lifecycle import DRAIN_SECONDS
from parley.settings import Settings
from services.analyzer.settings import AnalyzerSettings
from services.gateway.main import ANSWER_PATIENCE_S, FLUSH_S
from services.gateway.settings import GatewaySettings
from services.persister.settings import PersisterSettings
from services.sealer.activity.settings import ActivitySettings
from services.sealer.settings import SealerSettings

ROOT: Final = Path(__file__).resolve().parents[2]
FILES: Final = (
    *("docker-compose.yml", ".env.example", "deploy/defaults.env", "deploy/published.yml"),
    *("deploy/Dockerfile", "deploy/healthy.py"),
)
OF_SERVICES: Final = (
    *(Settings, GatewaySettings, PersisterSettings),
    *(SealerSettings, AnalyzerSettings, ActivitySettings),
)
ONE_SHOT: Final = ("setup", "parley")


class _Loader(yaml.SafeLoader):
    """YAML with the tag by which compose replaces a list rather than adding to it."""


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node)


_Loader.add_constructor("!override", _sequence)


def composed(name: str = "docker-compose.yml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / name).read_text(), _Loader)["services"]  # noqa: S506
    return found


SERVICES: Final = composed()


def test_every_setting_that_is_named_is_one_of_parleys() -> None:
    known = {name for settings in OF_SERVICES for name in _variables(settings)}
    for file in FILES:
        named = set(re.findall(r"\bPARLEY_[A-Z_]+\b", (ROOT / file).read_text()))
        assert named <= known, file


def _variables(settings: type[Settings]) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        own = f"PARLEY_{name.upper()}"
        yield str(alias.choices[0]) if isinstance(alias, AliasChoices) else own


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_limits_bounded_logs_and_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["deploy"]["resources"]["limits"].keys() == {"memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # What Grafana writes beside its data could not be tried.
    assert service.get("read_only") or name == "grafana"


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ONE_SHOT])
def test_a_container_that_runs_on_comes_back_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    # The services' is in their image.
    image_has_one = "HEALTHCHECK" in (ROOT / "deploy" / "Dockerfile").read_text()
    is_ours = service["image"].startswith("${SERVICES_IMAGE")
    assert "healthcheck" in service or (is_ours and image_has_one)


def test_only_loopback_is_published_unless_somebody_asks_for_more() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published.keys() == {"proxy", "prometheus", "alertmanager", "grafana"}
    for name, ports in published.items():
        assert all(port.startswith("127.0.0.1:") for port in ports), name


def test_who_asks_for_more_must_set_every_password() -> None:
    more = composed("deploy/published.yml")
    assert more["proxy"]["ports"][0].startswith("${PUBLISH_ADDRESS:-0.0.0.0}:")
    wanted = re.findall(r"\$\{(\w+):\?", (ROOT / "deploy" / "published.yml").read_text())
    assert sorted(wanted) == [
        "GRAFANA_ADMIN_PASSWORD",
        "PARLEY_GATEWAY_ACCESS",
        *("POSTGRES_ACTIVITY_PASSWORD", "POSTGRES_ANALYZER_PASSWORD"),
        *("POSTGRES_GATEWAY_PASSWORD", "POSTGRES_PASSWORD", "POSTGRES_PERSISTER_PASSWORD"),
        "POSTGRES_SEALER_PASSWORD",
    ]
    examples = (ROOT / ".env.example").read_text()
    assert [name for name in wanted if f"# {name}=" not in examples] == []
    with_default = set(
        re.findall(r"\$\{(\w*PASSWORD):-", (ROOT / "docker-compose.yml").read_text())
    )
    assert with_default <= set(wanted)


def test_the_log_and_the_tables_are_reached_by_the_services_alone() -> None:
    inside = {name for name, one in SERVICES.items() if "data" in one.get("networks", ())}
    assert inside == {
        *("kafka", "postgres", "setup", "parley"),
        *("gateway", "persister", "sealer", "analyzer", "activity"),
    }
    assert SERVICES["kafka"]["networks"] == SERVICES["postgres"]["networks"] == ["data"]


def test_a_service_has_longer_to_stop_than_it_takes_to_drain() -> None:
    patience = {
        name: int(one["stop_grace_period"].rstrip("s"))
        for name, one in SERVICES.items()
        if "stop_grace_period" in one
    }
    assert patience["gateway"] > DRAIN_SECONDS + ANSWER_PATIENCE_S + FLUSH_S
    assert min(patience.values()) > DRAIN_SECONDS
