"""Logins of services come from stdin; a wrong line is refused before anything is made."""

import pytest
from typer.testing import CliRunner

from parley.cli.db import app
from parley.errors import UserError


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "Stdin names no login."),
        ("\n \n", "Stdin names no login."),
        ("ada gateway", "The line of ada is not understood."),
        ("ada gateway secret more", "The line of ada is not understood."),
        ("ada reader secret", "The line of ada is not understood."),
        ("ada owner secret", "The line of ada is not understood."),
        ("ada gateway s@cret", "The password of ada cannot be part of an address as it is."),
        ("ada gateway secrét", "The password of ada cannot be part of an address as it is."),
        ("eve sealer fine\nada gateway -", "The password of ada cannot be part"),
    ],
)
def test_a_line_that_is_not_understood_is_named_without_its_password(
    lines: str, problem: str
) -> None:
    ended = CliRunner().invoke(app, ["logins", "apply"], input=lines)
    assert isinstance(ended.exception, UserError)
    assert ended.exception.problem.startswith(problem)
    assert "cr" not in ended.exception.problem
