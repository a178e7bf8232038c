"""`parley jobs redrive` and `cancel`: the same options, and no job by accident."""

import inspect
from typing import Any

import pytest
from typer.testing import CliRunner

from parley.cli.jobs import app
from parley.cli.jobs.changing import cancel, redrive
from parley.errors import UserError


def refused(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments)).exception


def test_both_are_asked_in_the_same_way() -> None:
    assert inspect.signature(redrive) == inspect.signature(cancel)


@pytest.mark.parametrize("command", ["redrive", "cancel"])
def test_it_has_to_be_said_which_jobs_are_meant(command: str) -> None:
    error = refused(command)
    assert isinstance(error, UserError)
    assert error.problem == "Which jobs?"


@pytest.mark.parametrize(
    ("command", "state", "possible"),
    [("redrive", "verdict", "failed, parked, cancelled"), ("cancel", "failed", "open, claimed")],
)
def test_a_state_that_nothing_can_be_done_with_is_refused(
    command: str, state: str, possible: str
) -> None:
    error = refused(command, "--all", "--state", state)
    assert isinstance(error, UserError)
    assert state in error.problem
    assert possible in error.remedy


@pytest.mark.parametrize(
    ("command", "begins"),
    [("redrive", "Have jobs that failed"), ("cancel", "End jobs that are open")],
)
def test_each_says_what_it_does(command: str, begins: str) -> None:
    assert begins in CliRunner().invoke(app, [command, "--help"]).output
