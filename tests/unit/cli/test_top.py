"""How `parley top` ends where nobody counts, and what it prints where no terminal is."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from parley.activity.figures import NO_WORKER, WINDOWS, Activity, ActivityState, Counts, Group
from parley.cli.activity_table import Sorting
from parley.cli.output import Output
from parley.cli.top import show
from parley.errors import UserError

COUNTED = Activity(
    ActivityState.COUNTED,
    {Group("acme", "phone"): dict.fromkeys(WINDOWS, Counts(15, 2, 30, 45))},
    datetime(2026, 1, 31, 12, tzinfo=UTC),
    timedelta(seconds=1),
)


def test_without_a_worker_it_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError) as told:
        show(NO_WORKER, Output.TABLE, Sorting.MESSAGES, WINDOWS[0])
    assert "no activity worker" in told.value.problem
    assert "parley local up" in told.value.remedy
    assert capsys.readouterr().out == ""


def test_programs_are_told_that_there_is_no_worker_as_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UserError):
        show(NO_WORKER, Output.JSON, Sorting.MESSAGES, WINDOWS[0])
    data = orjson.loads(capsys.readouterr().out)
    assert (data["state"], data["channels"]) == ("no_worker", None)


def test_data_is_of_every_window(capsys: pytest.CaptureFixture[str]) -> None:
    show(COUNTED, Output.JSON, Sorting.MESSAGES, WINDOWS[0])
    [channel] = orjson.loads(capsys.readouterr().out)["channels"]
    assert (channel["tenant"], channel["channel"]) == ("acme", "phone")
    assert [one["window_seconds"] for one in channel["windows"]] == [60, 300, 900]
