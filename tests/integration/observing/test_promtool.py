"""promtool finds the alert rules right, and their tests pass."""

import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.support.prometheus import needs_promtool

pytestmark = [pytest.mark.integration, needs_promtool]

PROMETHEUS = ROOT / "deploy" / "prometheus"


def promtool(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_rules_are_well_formed() -> None:
    files = sorted(one.name for one in (PROMETHEUS / "rules").glob("*.yml"))
    said = promtool("check", "rules", "--lint-fatal", *files, folder=PROMETHEUS / "rules")
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize(
    "name", sorted(one.name for one in (PROMETHEUS / "tests").glob("*.yml")), ids=str
)
def test_alerts_fire_when_they_should_and_stay_quiet_otherwise(name: str) -> None:
    said = promtool("test", "rules", name, folder=PROMETHEUS / "tests")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_test_of_rules_can_fail(tmp_path: Path) -> None:
    for folder in ("rules", "tests"):
        (tmp_path / folder).mkdir()
    rules = (PROMETHEUS / "rules" / "platform.yml").read_text()
    (tmp_path / "rules" / "platform.yml").write_text(rules.replace("up == 0", "up == 2"))
    tests = (PROMETHEUS / "tests" / "platform.yml").read_text()
    (tmp_path / "tests" / "platform.yml").write_text(tests)
    said = promtool("test", "rules", "platform.yml", folder=tmp_path / "tests")
    assert said.returncode == 1
    assert "ParleyTargetDown" in said.stdout + said.stderr
