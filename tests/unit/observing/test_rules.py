"""Every alert says how bad it is, what is wrong and what to do; and asks for series that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.observing.inventory import exported, series_names
from deploy.observing.promql import exported_in, recorded_in
from parley.cli.app import Commands

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
HEADINGS = (
    *("What it means", "Why it hurts", "How to look", "How to mend"),
    "When to escalate",
)


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


ALERTS = [rule for rule in rules() if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})


def written_tests() -> list[dict[str, Any]]:
    return [
        one
        for path in sorted((PROMETHEUS / "tests").glob("*.yml"))
        for test in yaml.safe_load(path.read_text())["tests"]
        for one in test.get("alert_rule_test", ())
    ]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: f"{one['alert']}-{one['labels']}")
def test_an_alert_is_whole(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"Parley[A-Z][A-Za-z]+", alert["alert"])
    assert alert["labels"]["severity"] in ("warning", "critical")
    notes = alert["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert notes["summary"][-1] != "."
    assert notes["description"][-1] == "."
    page = ROOT / notes["runbook_url"]
    assert f"`{alert['alert']}`" in page.read_text()


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda one: one.stem)
def test_a_runbook_says_everything_and_belongs_to_an_alert(page: Path) -> None:
    text = page.read_text()
    assert tuple(re.findall(r"^## (.*)$", text, re.M)) == HEADINGS
    assert len(text) > 800
    path = str(page.relative_to(ROOT))
    mine = {rule["alert"] for rule in ALERTS if rule["annotations"]["runbook_url"] == path}
    assert mine == set(re.findall(r"`(Parley\w+)`", text.splitlines()[2]))
    assert mine


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda one: one.stem)
def test_the_commands_of_a_runbook_exist(page: Path) -> None:
    text = page.read_text()
    lines = [
        *re.findall(r"^(parley [^#\n]*)", text, re.M),
        *re.findall(r"`(parley (?!is\b)[^`]+)`", text),
    ]
    assert lines
    for line in lines:
        assert_exists(line)


def assert_exists(line: str) -> None:
    """The command is there, and knows these options."""
    _, first, *words = shlex.split(line)
    assert first in Commands.places, line
    command: Any = Commands.places[first].load(first)
    while hasattr(command, "commands") and words:
        name, *words = words
        assert name in command.commands, line
        command = command.commands[name]
    known = {option for one in command.params for option in one.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= known, line


def test_a_command_that_is_not_there_is_found() -> None:
    for line in ("parley statistics", "parley ledger --sinc 2h", "parley dead-letters drop 1"):
        with pytest.raises(AssertionError):
            assert_exists(line)


def test_every_series_that_a_rule_asks_for_is_exported_or_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    queries = [rule["expr"] for rule in rules()]
    assert {name for one in queries for name in exported_in(one)} - series_names() == set()
    assert {name for one in queries for name in recorded_in(one)} - recorded == set()
    # The names above are what is looked for at all.
    assert exported_in('rate(parley_x_total{a="parley_y"}[5m])') == {"parley_x_total"}
    assert recorded_in("parley:x:rate5m > 1") == {"parley:x:rate5m"}


def test_what_is_recorded_is_used() -> None:
    queries = "".join(rule["expr"] for rule in rules() if "alert" in rule)
    for name in {rule["record"] for rule in rules() if "record" in rule}:
        boards = (ROOT / "deploy" / "grafana").rglob("*.json")
        assert name in queries or any(name in board.read_text() for board in boards), name


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_tested_to_fire_and_to_stay_quiet(name: str) -> None:
    mine = [one for one in written_tests() if one["alertname"] == name]
    assert any(one["exp_alerts"] for one in mine)
    assert sum(not one["exp_alerts"] for one in mine) > 1
    healthy = yaml.safe_load((PROMETHEUS / "tests" / "healthy.yml").read_text())["tests"]
    assert name in {one["alertname"] for test in healthy for one in test["alert_rule_test"]}


def test_what_operations_are_promised_has_an_alert() -> None:
    by_name = {rule["alert"]: str(rule["expr"]) for rule in ALERTS}
    assert "> 1000" in by_name["ParleyUnacknowledgedEvents"]
    assert "> 5000" in by_name["ParleyUnacknowledgedEventsCritical"]
    assert "< 0.995" in by_name["ParleyDurableSuccessLow"]
    assert "> 1" in by_name["ParleyReceiptToRowSlow"]
    assert set(NAMES) >= {
        *("ParleyConsumerLagging", "ParleyLedgerResidue", "ParleyWatermarkStuck"),
        *("ParleySealsLate", "ParleyDeadLetters", "ParleyPartitionStopped"),
        *("ParleyProviderDown", "ParleyBudgetParked", "ParleyOutboxOld", "ParleyLogDiskLow"),
        *("ParleyErrorBudgetBurnFast", "ParleyErrorBudgetBurnSlow", "ParleyTargetDown"),
    }


def test_no_rule_asks_for_a_label_that_the_metric_does_not_have() -> None:
    labels = {one.name: {*one.labels, "instance", "job", "le"} for one in exported()}
    for rule in rules():
        for name, matchers in re.findall(r"(parley_[a-z0-9_]+)\{([^}]*)\}", rule["expr"]):
            asked = set(re.findall(r"(\w+)\s*(?:=|!)", matchers))
            assert asked <= labels[name], (name, asked)
