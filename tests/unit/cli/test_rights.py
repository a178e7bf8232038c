"""The rights that are printed for an administrator are those that deploy/ holds."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from parley.cli.topics import app
from parley.log.rights import RIGHTS, acls
from parley.settings import Settings
from tests.support.processes import ROOT


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARLEY_STATE_DIR", str(tmp_path))


def test_the_script_in_deploy_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["rights"])
    assert printed.exit_code == 0
    assert printed.stdout == (ROOT / "deploy" / "kafka" / "acls.sh").read_text()


def test_names_follow_the_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_TOPIC_PREFIX", "eu.")
    printed = CliRunner().invoke(app, ["rights", "--principal-prefix", "svc-"])
    lines = [one for one in printed.stdout.splitlines() if one.startswith("allow User")]
    assert all(one.startswith("allow User:svc-") for one in lines)
    assert all("eu." in one for one in lines if "--topic" in one)
    assert "--group eu.parley-activity --resource-pattern-type prefixed" in printed.stdout


def test_nobody_may_write_what_others_alone_decide() -> None:
    writers = {
        one.name: {two.principal for two in acls(Settings()) if two.name == one.name}
        for one in acls(Settings())
        if one.operation == "Write"
    }
    assert len(RIGHTS) == 5
    assert "parley.config.v1" not in writers
    assert {one.principal for one in acls(Settings()) if one.operation == "Write"} == {
        f"User:parley-{name}" for name in ("gateway", "persister", "sealer", "analyzer")
    }
