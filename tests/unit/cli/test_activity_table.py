"""What `parley top` shows: rows that fit the terminal, in the order that was asked for."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from parley.activity.figures import NO_WORKER, WINDOWS, Activity, ActivityState, Counts, Group
from parley.cli.activity_table import Sorting, View, as_data, compact, ordered, rendered

MINUTE, FIVE, QUARTER = WINDOWS


def figures(messages: int, conversations: int = 1, words: int = 0) -> dict[timedelta, Counts]:
    """The same every minute."""
    return {
        window: Counts(messages * factor, conversations, words * factor, 2 * words * factor)
        for window, factor in zip(WINDOWS, (1, 5, 15), strict=True)
    }


def activity(groups: dict[Group, Any], **changes: Any) -> Activity:
    return Activity(
        **{
            "state": ActivityState.COUNTED,
            "groups": groups,
            "measured_at": datetime(2026, 1, 31, 12, 0, 3, tzinfo=UTC),
            "age": timedelta(seconds=1.25),
            **changes,
        }
    )


def view(columns: int = 80, lines: int | None = 24, **changes: Any) -> View:
    return View(
        **{"sorting": Sorting.MESSAGES, "window": MINUTE, **changes}, columns=columns, lines=lines
    )


def screen(shown: Activity, how: View) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=how.columns, height=how.lines, highlight=False)
    console.print(rendered(shown, how))
    return out.getvalue().splitlines()


TWO = activity({Group("acme", "phone"): figures(12, 3, 80), Group("zoo", ""): figures(1)})


def test_a_narrow_terminal_shows_rates_and_active_conversations() -> None:
    assert screen(TWO, view()) == [
        "parley top  12:00:03 UTC, 1.2 s ago, 2 tenants, 2 channels",
        "                          msg/min            active         words/min",
        "tenant  channel    1m    5m   15m    1m    5m   15m    1m    5m   15m",
        "total              13    13    13     4     4     4   240   240   240",
        "acme    phone      12    12    12     3     3     3   240   240   240",
        "zoo     (none)      1     1     1     1     1     1     0     0     0",
    ]


def test_a_wide_terminal_tells_users_from_agents() -> None:
    shown = screen(TWO, view(columns=120, lines=40))
    assert re.split(r"  +", shown[1].strip()) == [
        *("msg/min", "active", "user words/min", "agent words/min", "audio msg/min"),
    ]
    assert shown[4].split()[8:14] == [*["80"] * 3, *["160"] * 3]


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40), (60, 10)])
def test_many_long_names_fit_into_any_terminal(columns: int, lines: int) -> None:
    groups = {
        Group(f"tenant-with-a-long-name-{n:03}" * 2, f"電話-{n:03}" * 9): figures(1_234_567 - n)
        for n in range(300)
    }
    shown = screen(
        activity(groups, reasons=["1 of 2 partitions are measured"]), view(columns, lines)
    )
    assert len(shown) == lines
    assert max(Console().measure(line).maximum for line in shown) <= columns
    assert "…" in shown[-2]
    assert shown[-1] == f"and {300 - (lines - 6)} channels more"


def test_no_name_is_cut_while_there_is_room() -> None:
    shown = screen(activity({Group("acme", "a-channel-of-18-ch"): figures(1)}), view())
    assert "a-channel-of-18-ch " in shown[-1]


def test_without_a_worker_there_are_no_figures() -> None:
    shown = screen(NO_WORKER, view())
    assert shown == ["parley top", "  no activity worker has measured for 15 seconds"]
    data = as_data(NO_WORKER, view())
    assert (data["state"], data["total"], data["channels"]) == ("no_worker", None, None)


@pytest.mark.parametrize(
    ("sorting", "window", "first"),
    [
        (Sorting.MESSAGES, MINUTE, "b"),
        (Sorting.MESSAGES, FIVE, "c"),
        (Sorting.CONVERSATIONS, MINUTE, "d"),
        (Sorting.SPEECH, MINUTE, "a"),
        (Sorting.NAME, MINUTE, "a"),
    ],
)
def test_it_is_sorted_as_asked(sorting: Sorting, window: timedelta, first: str) -> None:
    groups: dict[Group, Any] = {
        Group("t", "d"): figures(1, conversations=9),
        Group("t", "c"): {**figures(1), FIVE: Counts(99)},
        Group("t", "b"): figures(5),
        Group("t", "a"): figures(1, words=9),
    }
    assert ordered(groups, view(sorting=sorting, window=window))[0][0].channel == first


def test_data_holds_every_channel_and_the_total() -> None:
    data = as_data(TWO, view(lines=6))
    assert data["age_seconds"] == 1.25
    assert [one["channel"] for one in data["channels"]] == ["phone", ""]
    assert data["total"][2] == {
        "window_seconds": 900,
        "messages": 195,
        "conversations": 4,
        "user_words": 1_200,
        "assistant_words": 2_400,
        "audio_messages": 0,
    }


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (0.04, "0.0"),
        (0.4, "0.4"),
        (3, "3"),
        (12.4, "12"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (1_234, "1.2k"),
        (34_567, "35k"),
        (999_999, "1.0M"),
        (5_600_000_000, "5.6G"),
    ],
)
def test_figures_have_five_characters_at_most(amount: float, text: str) -> None:
    assert compact(amount) == text
