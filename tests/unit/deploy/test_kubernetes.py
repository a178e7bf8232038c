"""The manifests for Kubernetes are valid, and say what the services and the topics are called."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kubernetes_validate.utils import validate

from parley.db.roles import SERVICES
from parley.errors import UserError
from parley.settings import Settings
from parley.topics import Topic
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import CONSUMER as ANALYZER
from services.gateway.settings import GatewaySettings
from services.persister.consumers import NAMES
from services.persister.settings import PersisterSettings
from services.sealer.activity.settings import ActivitySettings
from services.sealer.settings import SealerSettings
from tests.support.processes import ROOT

FOLDER: Final = ROOT / "deploy" / "kubernetes"
VERSIONS: Final = ("1.30", "1.37")
# Their schemas are of the cluster's extensions, and nowhere in the validator.
EXTENSIONS: Final = {"ScaledObject", "TriggerAuthentication", "ServiceMonitor", "PodMonitor"}
SETTINGS: Final[dict[str, type[Settings]]] = {
    "gateway": GatewaySettings,
    "persister": PersisterSettings,
    "sealer": SealerSettings,
    "analyzer": AnalyzerSettings,
    "activity": ActivitySettings,
}


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def written() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.rglob("*.yaml")):
        for one in documents(path):
            yield str(path.relative_to(FOLDER)), one


@cache
def built(overlay: str) -> list[dict[str, Any]]:
    command = ["kubectl", "kustomize", str(FOLDER / "overlays" / overlay)]
    shown = subprocess.run(command, check=False, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    return [one for one in yaml.safe_load_all(shown.stdout) if one]


def of_kind(kind: str, overlay: list[dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    found = overlay if overlay is not None else [one for _, one in written()]
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def assert_valid(one: dict[str, Any]) -> None:
    if one["kind"] in EXTENSIONS or "kustomize.config" in one["apiVersion"]:
        return
    for version in VERSIONS:
        validate(one, version, strict=True)


def test_every_manifest_is_valid() -> None:
    count = 0
    for _, one in written():
        assert_valid(one)
        count += 1
    assert count > 30


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl, which has kustomize")
@pytest.mark.parametrize("overlay", ["development", "production"])
def test_every_overlay_is_built_and_valid(overlay: str) -> None:
    made = built(overlay)
    for one in made:
        assert_valid(one)
    pods = {**of_kind("Deployment", made), "setup": of_kind("Job", made)["setup"]}
    assert {*SETTINGS, "setup"} == pods.keys()
    given = {*of_kind("ConfigMap", made), *of_kind("Secret", made)}
    for name, one in pods.items():
        sources = one["spec"]["template"]["spec"]["containers"][0]["envFrom"]
        assert sources[1] == {"secretRef": {"name": f"parley-{name}"}}
        if overlay == "development":
            assert {f"parley-{name}", "parley-settings"} <= given


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl, which has kustomize")
@pytest.mark.parametrize("overlay", ["development", "production"])
def test_every_service_knows_the_settings_that_it_is_given(
    overlay: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = built(overlay)
    shared = of_kind("ConfigMap", made)["parley-settings"]["data"]
    certificate = tmp_path / "ca.crt"
    for name, settings in SETTINGS.items():
        container = of_kind("Deployment", made)[name]["spec"]["template"]["spec"]["containers"][0]
        own = {one["name"]: one["value"] for one in container.get("env", [])}
        secret = {"DATABASE_URL": "postgresql://p:p@h/p"}
        if overlay == "production":
            secret |= {"PARLEY_KAFKA_USERNAME": "me", "PARLEY_KAFKA_PASSWORD": "hush"}
        with monkeypatch.context() as environment:
            environment.setenv("PARLEY_STATE_DIR", str(tmp_path))
            for variable, value in {**shared, **own, **secret}.items():
                environment.setenv(variable, value)
            loaded = settings.load(kafka_ca_file=certificate)
        assert loaded.http_host == shared["PARLEY_HTTP_HOST"]
        assert loaded.kafka_security_protocol == shared.get(
            "PARLEY_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"
        )


@pytest.mark.parametrize("name", SETTINGS)
def test_an_unknown_setting_in_the_config_map_stops_a_service_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container = of_kind("Deployment")[name]["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"][0] == {"configMapRef": {"name": "parley-settings"}}
    own = {one["name"]: one["value"] for one in container.get("env", [])}
    given = {**of_kind("ConfigMap")["parley-settings"]["data"], **own}
    for variable, value in {**given, "PARLEY_STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(variable, value)
    assert SETTINGS[name].load().http_host == "0.0.0.0"  # noqa: S104 - as its pod has it
    for unknown in ("PARLEY_IDEL_GAP", f"PARLEY_{name.upper()}_PATEINCE"):
        with monkeypatch.context() as wrong:
            wrong.setenv(unknown, "5")
            with pytest.raises(UserError, match=f"{unknown} is not a setting of Parley"):
                SETTINGS[name].load()


def test_in_development_each_service_is_a_login_of_its_own_that_the_setup_makes() -> None:
    [overlay] = documents(FOLDER / "overlays" / "development" / "kustomization.yaml")
    urls = {
        one["name"]: one["literals"][0].removeprefix("DATABASE_URL=")
        for one in overlay["secretGenerator"]
    }
    setup = next(one for one in overlay["patches"] if one["target"]["kind"] == "Job")["patch"]
    [replaced] = yaml.safe_load(setup)
    base = of_kind("Job")["setup"]["spec"]["template"]["spec"]["containers"][0]["args"][0]
    # All that the base does, and then the logins.
    assert replaced["value"].startswith(base)
    lines = replaced["value"].partition("<<END\n")[2].partition("END")[0].splitlines()
    assert lines == [f"{one} {one} parley" for one in SERVICES]
    for name in SERVICES:
        assert urls[f"parley-{name}"] == f"postgresql://{name}:parley@postgres:5432/parley"


def test_modules_are_there_and_every_pod_is_watched_and_contained() -> None:
    for name, one in of_kind("Deployment").items():
        spec = one["spec"]["template"]["spec"]
        container = spec["containers"][0]
        module = ROOT / Path(*container["args"][0].split(".")).with_suffix(".py")
        assert module.is_file(), name
        assert spec["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert "memory" in container["resources"]["limits"]
        selected = one["spec"]["selector"]["matchLabels"]
        assert selected.items() <= one["spec"]["template"]["metadata"]["labels"].items()
    assert of_kind("PodDisruptionBudget").keys() == {"gateway", "persister", "sealer", "analyzer"}


def test_what_scales_looks_at_groups_topics_and_metrics_that_there_are() -> None:
    groups = {
        "persister": f"parley-{NAMES[Topic.EVENTS]}.{Topic.EVENTS}",
        "sealer": f"parley-sealer.{Topic.EVENTS}",
        "analyzer": f"parley-{ANALYZER}.{Topic.SEALS}",
    }
    known = (ROOT / "docs" / "metrics.md").read_text()
    partitions = int(of_kind("ConfigMap")["parley-settings"]["data"]["PARLEY_PARTITIONS"])
    scaled = of_kind("ScaledObject")
    assert scaled.keys() == {"gateway", *groups}
    for name, one in scaled.items():
        assert one["spec"]["scaleTargetRef"]["name"] in of_kind("Deployment")
        assert one["spec"]["minReplicaCount"] >= 1
        triggers = {one["type"]: one["metadata"] for one in one["spec"]["triggers"]}
        if name in groups:
            # A replica without a partition has nothing to do.
            assert one["spec"]["maxReplicaCount"] == partitions
            assert triggers["kafka"]["consumerGroup"] == groups[name]
            assert groups[name].endswith(triggers["kafka"]["topic"])
        for trigger in triggers.values():
            if "query" in trigger:
                metric = trigger["query"].split("parley_")[1].split("{")[0].split(")")[0]
                assert f"`parley_{metric}`" in known


def test_scrapers_find_every_service() -> None:
    monitor = of_kind("ServiceMonitor")["gateway"]["spec"]
    assert of_kind("Service")["gateway"]["metadata"]["labels"].items() >= (
        monitor["selector"]["matchLabels"].items()
    )
    workers = of_kind("PodMonitor")["workers"]["spec"]["selector"]["matchExpressions"][0]["values"]
    assert {*workers, "gateway"} == of_kind("Deployment").keys()
    ports = of_kind("Deployment")["sealer"]["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {one["name"] for one in ports} == {"http"}
