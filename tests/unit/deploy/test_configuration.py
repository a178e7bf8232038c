"""The page of settings is what the code says, and the command shows what is in force."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.observing.settings_page import PAGE, page
from parley.shown_settings import shown
from services.settings import ALL


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [one for one in os.environ if one.startswith(("PARLEY_", "OPENAI_", "LOG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DATABASE_URL", raising=False)


def command(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "parley.cli", "settings", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run `make configuration`"


def test_every_setting_says_what_it_is_and_what_it_expects() -> None:
    for settings in ALL.values():
        for one in shown(settings, settings()):
            assert one.description, one.variable
            assert one.expected, one.variable
            assert "typing" not in one.expected, one.variable


def test_what_is_in_force_is_shown_with_its_source_and_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"kafka_bootstrap": "127.0.0.1:7"}')
    told = command(
        *("gateway", "--changed", "-o", "json"),
        PARLEY_STATE_DIR=str(tmp_path),
        DATABASE_URL="postgresql://me:hush@h/p",
        PARLEY_GATEWAY_MAX_AGE="PT2M",
    )
    assert told.returncode == 0, told.stderr
    assert "hush" not in told.stdout
    found = {
        row["variable"]: (row["value"], row["source"])
        for rows in json.loads(told.stdout).values()
        for row in rows
    }
    assert found == {
        "PARLEY_KAFKA_BOOTSTRAP": ("127.0.0.1:7", "local stack"),
        "DATABASE_URL": ("********", "environment"),
        "PARLEY_STATE_DIR": (str(tmp_path), "environment"),
        "PARLEY_GATEWAY_MAX_AGE": ("PT2M", "environment"),
    }


def test_a_setting_that_no_service_knows_is_an_error_with_its_name(tmp_path: Path) -> None:
    told = command(PARLEY_STATE_DIR=str(tmp_path), PARLEY_SEALER_SPEED="9")
    assert told.returncode == 1
    assert "PARLEY_SEALER_SPEED is not a setting" in told.stderr
