"""Tests of the list of commands, which are imported when they are called."""

import subprocess
import sys

import pytest

from parley.cli.app import Commands


@pytest.mark.parametrize("name", Commands.places)
def test_what_the_list_says_of_a_command_is_what_its_own_help_begins_with(name: str) -> None:
    place = Commands.places[name]
    command = place.load(name)
    assert command.name == name
    assert " ".join(command.help.split("\n\n")[0].split()) == place.summary


def test_a_command_imports_no_other() -> None:
    code = (
        "import sys\n"
        "from parley.cli.app import Commands\n"
        "assert 'parley.db.pool' not in sys.modules\n"
        "Commands.places['status'].load('status')\n"
        "assert 'parley.db.pool' in sys.modules\n"
        "assert 'sqlalchemy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
