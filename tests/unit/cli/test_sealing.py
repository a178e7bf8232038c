"""What `parley sealing` says of open segments."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from rich.console import Console

from parley.cli.output import table_of
from parley.cli.sealing.listing import (
    OpenCounts,
    as_window,
    columns_for,
    line_of,
    nothing_due,
    summary,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def row(seconds_left: float | None = 90.0, **changes: Any) -> dict[str, Any]:
    """A window as its query gives it."""
    held_by, ending = changes.pop("held_by", []), changes.pop("ending", None)
    deadline = None if seconds_left is None else NOW + timedelta(seconds=seconds_left)
    return {
        "tenant_id": "default",
        "conversation_id": "chat-7",
        "segment_id": "g",
        "partition": 1,
        "revision": 0,
        "current_revision": 0,
        "began_at": NOW - timedelta(days=1),
        "last_message_at": NOW - timedelta(minutes=1),
        "message_count": 1_200,
        "deadline": deadline,
        "seconds_left": seconds_left,
        "channel": "phone",
        "held_by": orjson.dumps(held_by).decode(),
        "ending": orjson.dumps(ending).decode(),
        **changes,
    }


def line(one: dict[str, Any]) -> dict[str, Any]:
    return line_of(as_window(one), NOW, shows_tenant=False)


def test_a_line_says_when_a_segment_closes_and_in_how_long() -> None:
    told = line(row())
    assert (told["closes"], told["in"]) == ("12:01:30", "1m 30s")
    assert (told["began"], told["last"]) == ("2026-01-30", "11:59")
    assert told["note"] == ""


def test_what_is_due_is_said_to_be_past() -> None:
    window = as_window(row(-5.0))
    assert window["is_due"]
    assert line_of(window, NOW, shows_tenant=False)["in"] == "-5s"


def test_what_an_import_holds_has_no_deadline_and_says_by_which() -> None:
    window = as_window(row(None, held_by=["files", "files\n3"]))
    assert (window["held_by"], window["is_due"]) == (["files"], False)
    told = line_of(window, NOW, shows_tenant=False)
    assert (told["closes"], told["in"], told["note"]) == (None, None, "import files")


def test_a_segment_that_was_sealed_before_or_has_ended_says_so() -> None:
    again = line(row(revision=2, current_revision=2))
    assert (again["revision"], again["note"]) == (2, "reopened")
    assert line(row())["revision"] is None
    assert line(row(ending={"closes_at": ""}))["note"] == "ended"


def test_tenants_are_shown_where_there_are_others() -> None:
    assert line_of(as_window(row(tenant_id="acme")), NOW, shows_tenant=True)["tenant"] == "acme"
    assert line(row())["tenant"] is None


def test_narrow_terminals_show_fewer_columns_and_fold_none() -> None:
    name = "550e8400-e29b-41d4-a716-446655440000"
    lines = [line(row(conversation_id=name, revision=1)), line(row(-5_405.0, conversation_id=name))]
    for width, has_channel in ((140, True), (80, False)):
        file = io.StringIO()
        columns = columns_for(lines, width)
        Console(file=file, width=width).print(table_of(lines, columns))
        shown = [one for one in file.getvalue().splitlines() if name in one]
        assert "1m 30s" in shown[0]
        assert "reopened" in shown[0]
        assert "-1h 30m" in shown[1]
        assert ("channel" in columns) is has_channel
        assert len(file.getvalue().splitlines()) == 6
    assert "channel" in columns_for([line(row())], 80)


def test_the_end_says_how_many_are_open_and_where() -> None:
    counts = OpenCounts({0: 1_000, 3: 1}, due=2, held=1)
    assert summary(counts, None, 50) == (
        "1,001 segments open, 2 due, 1 held by imports. The first 50 are shown.\n"
        "By partition: 0: 1,000, 3: 1."
    )
    assert "shown" not in summary(counts, None, None)
    assert summary(OpenCounts({}, 0, 0), None, None) == "No segment is open."


def test_the_end_names_the_tenant_that_was_asked_for() -> None:
    told = summary(OpenCounts({2: 3}, due=1, held=0), "acme", None)
    assert told.startswith("3 segments of tenant acme open, 1 due, 0 held by imports.")
    assert summary(OpenCounts({}, 0, 0), "acme", None) == "No segment of tenant acme is open."


def test_a_conversation_of_which_nothing_is_due_says_when_the_next_is() -> None:
    held = as_window(row(None, held_by=["files"]))
    windows = [held, as_window(row(5_400.0)), as_window(row(90.0))]
    assert nothing_due("chat-7", windows) == (
        "Nothing of chat-7 is due: 3 segments open, the next due at 2026-01-31 12:01:30 UTC, "
        "in 1m 30s."
    )
    assert nothing_due("chat-7", [held]) == (
        "Nothing of chat-7 is due: 1 segment open, held by imports."
    )
