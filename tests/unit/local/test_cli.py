"""The commands of `parley local` refuse what they cannot do, in words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parley.cli.local import app
from parley.errors import UserError
from parley.local import supervisor
from tests.support.processes import ROOT

_STOPPED = ["kafka", "postgres", "gateway", "persister", "sealer", "analyzer", "activity"]


def _invoke(state_dir: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "--state-dir", str(state_dir)])
    if isinstance(result.exception, UserError):
        raise result.exception
    return result.exit_code, result.stdout


def test_status_of_nothing_names_all_parts_and_exits_with_1(tmp_path: Path) -> None:
    status, output = _invoke(tmp_path, "status", "-o", "json")
    assert status == 1
    assert [row["name"] for row in json.loads(output)] == _STOPPED
    assert not any(row["is_ready"] for row in json.loads(output))


def test_the_table_says_what_is_stopped(tmp_path: Path) -> None:
    _, output = _invoke(tmp_path, "status")
    assert output.count("stopped") == len(_STOPPED)


def test_down_of_nothing_succeeds(tmp_path: Path) -> None:
    assert _invoke(tmp_path, "down")[0] == 0


def test_a_second_up_is_refused_and_starts_nothing(tmp_path: Path) -> None:
    with supervisor.only_one(tmp_path), pytest.raises(UserError, match="already running"):
        _invoke(tmp_path, "up")
    assert not (tmp_path / "kafka").exists()


def test_an_unknown_setting_stops_make_run_by_name_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (ROOT / "Makefile").read_text().partition("\nrun:")[2].partition("\n\n")[0]
    assert "/parley local up --demo" in made
    monkeypatch.setenv("PARLEY_IDEL_GAP", "5")
    with pytest.raises(UserError, match="PARLEY_IDEL_GAP is not a setting of Parley"):
        _invoke(tmp_path, "up", "--demo")
    assert list(tmp_path.iterdir()) == []


def test_replicas_of_an_unknown_service_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--replicas nobody=2"):
        _invoke(tmp_path, "up", "--replicas", "nobody=2")


def test_reset_asks_and_a_no_deletes_nothing(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "stack.json").write_text("{}")
    result = CliRunner().invoke(app, ["reset", "--state-dir", str(tmp_path)], input="n\n")
    assert result.exit_code == 1
    assert (tmp_path / "kafka").exists()


def test_reset_deletes_the_data_and_keeps_the_jars(tmp_path: Path) -> None:
    for folder in ("kafka", "postgres", "jars"):
        (tmp_path / folder).mkdir()
    (tmp_path / "stack.json").write_text("{}")
    assert _invoke(tmp_path, "reset", "--yes")[0] == 0
    assert (tmp_path / "jars").exists()
    assert not (tmp_path / "kafka").exists()
    assert not (tmp_path / "postgres").exists()


def test_reset_leaves_a_folder_alone_that_is_not_a_stacks(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    assert _invoke(tmp_path, "reset", "--yes")[0] == 0
    assert (tmp_path / "kafka").exists()


def test_logs_show_the_last_lines_of_one_service(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sealer.log").write_text("one\ntwo\n")
    assert _invoke(tmp_path, "logs", "sealer", "-n", "1") == (0, "sealer | two\n")


def test_logs_of_an_unknown_service_name_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sealer.log").touch()
    with pytest.raises(UserError, match="There is one of: sealer"):
        _invoke(tmp_path, "logs", "gateway")


def test_what_is_stopped_is_stopped_although_nobody_reads_of_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "parley", "local", "down", "--state-dir", str(tmp_path)]
    ended = subprocess.run(command, stderr=writer, check=False)
    os.close(writer)
    assert ended.returncode == 0
