"""Tests of how the command ends when something is wrong."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from parley.cli import app as application
from parley.cli.log_reader import FromBeginning, FromEnd
from parley.cli.running import run
from parley.cli.tail import parse_start
from parley.errors import UserError


async def raise_it(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KafkaConnectionError("x"), "Kafka failed: KafkaConnectionError"),
        (asyncpg.UndefinedTableError("no table"), "parley db upgrade"),
        (asyncpg.AdminShutdownError("bye"), "The database failed: bye"),
        (ExceptionGroup("g", [ExceptionGroup("h", [OSError("no room")])]), "no room"),
        (ExceptionGroup("g", [UserError("told", "do")]), "told"),
        (UserError("told", "do"), "told"),
    ],
)
def test_what_can_happen_to_anybody_is_told_in_words(error: Exception, said: str) -> None:
    with pytest.raises(UserError, match=said):
        run(raise_it(error))


def test_a_fault_of_the_program_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        run(raise_it(ZeroDivisionError()))
    with pytest.raises(ExceptionGroup):
        run(raise_it(ExceptionGroup("g", [ZeroDivisionError()])))


Main = Callable[..., int]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Main:
    """Runs the command in this process; returns its exit status."""

    def call(*arguments: str, **variables: str) -> int:
        monkeypatch.setattr(sys, "argv", ["parley", *arguments])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            application.main()
        return int(ended.value.code or 0)

    return call


def test_a_wrong_setting_is_named(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("topics", "list", DATABASE_URL="mysql://x") == 1
    assert "DATABASE_URL is wrong" in capsys.readouterr().err


def test_no_kafka_is_told_with_what_to_do(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("topics", "list", PARLEY_KAFKA_BOOTSTRAP="127.0.0.1:1") == 1
    said = capsys.readouterr().err
    assert "No Kafka at 127.0.0.1:1" in said
    assert "parley local up" in said


def test_no_database_is_told_without_its_password(
    main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("db", "status", DATABASE_URL="postgresql://u:hush@127.0.0.1:1/x") == 1
    said = capsys.readouterr().err
    assert "Cannot use the database" in said
    assert "hush" not in said


def test_ctrl_c_ends_with_130(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(work: Coroutine[Any, Any, Any]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("parley.cli.db.run", interrupt)
    assert main("db", "status") == 130


@pytest.mark.parametrize(
    "command",
    [
        "topics",
        "db",
        "import",
        "import jsonl",
        "import csv",
        "import sql",
        "export",
        "simulate",
        "tail",
        "status",
        "explain",
        "doctor",
    ],
)
def test_every_command_has_help(
    main: Main, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main(*command.split(), "--help") == 0
    assert "Usage" in capsys.readouterr().out


def test_where_to_begin_is_a_word_or_a_time() -> None:
    assert parse_start("beginning") == FromBeginning()
    assert parse_start("end") == FromEnd()
    assert parse_start("2026-01-31T12:00:00") == parse_start("2026-01-31T13:00:00+01:00")
    with pytest.raises(UserError, match="not understood"):
        parse_start("yesterday")
