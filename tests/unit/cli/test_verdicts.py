"""Verdicts for people: a line each, or all of one segment to be read."""

from datetime import UTC, datetime
from typing import Any

import pytest

from parley.cli.verdicts.listing import line_of
from parley.cli.verdicts.options import pass_of, segment_of
from parley.cli.verdicts.showing import outline, text_of
from parley.errors import UserError

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEGMENT = "0f8fad5b-d9cb-469f-a165-70867728950e"


def verdict(**fields: Any) -> dict[str, Any]:
    whole = {
        "segment_id": SEGMENT,
        "conversation_id": "chat-7",
        "revision": 1,
        "pass_name": "sentiment",
        "pass_version": 1,
        "output": {"mean": 0.5},
        "ended_at": AT,
        "segment_started_at": AT,
        "segment_ended_at": AT,
        "is_current": True,
        "is_newest_version": True,
    }
    return {**whole, **fields}


def test_a_pass_is_named_with_its_version_or_without() -> None:
    assert pass_of(None) == (None, None)
    assert pass_of("topics") == ("topics", None)
    assert pass_of("topics@12") == ("topics", 12)
    for wrong in ("topics@", "topics@new", "topics@-1"):
        with pytest.raises(UserError, match="not understood"):
            pass_of(wrong)


def test_what_is_no_id_is_said_to_be_none() -> None:
    assert segment_of(SEGMENT.upper()) == SEGMENT
    with pytest.raises(UserError, match="no segment's id"):
        segment_of("chat-7")


def test_a_line_says_only_what_is_unusual_and_is_cut_where_the_terminal_ends() -> None:
    line = line_of(verdict(output={"text": "one\ntwo " * 50}), 40)
    assert len(line["output"]) == 40
    assert line["output"].endswith("…")
    assert "\n" not in line["output"]
    assert line["pass"] == "sentiment@1"
    assert line["counts"] == ""
    assert line_of(verdict(is_newest_version=False), 40)["counts"] == "former version"
    assert line_of(verdict(is_current=False), 40)["counts"] == "former revision"


def test_a_result_is_an_outline_without_quotes_and_braces() -> None:
    output = {
        "summary": "A parcel.",
        "open": True,
        "nothing": None,
        "scores": [1, 0.5],
        "topics": [{"name": "parcel", "share": 0.5}, "other"],
        "empty": [],
    }
    assert list(outline(output)) == [
        "summary: A parcel.",
        "open: yes",
        "nothing: -",
        "scores: 1, 0.5",
        "topics:",
        "  -",
        "    name: parcel",
        "    share: 0.5",
        "  - other",
        "empty: -",
    ]


def test_a_result_moves_no_cursor_and_has_no_markup() -> None:
    evil = verdict(output={"a": "\x1b[2J[red]x", "b\nc": 1})
    text = "\n".join(text_of([evil]))
    assert "\x1b" not in text
    assert "\\[red]x" in text


def test_the_latest_revision_comes_first_and_then_the_passes_by_name() -> None:
    several = [
        verdict(revision=1, is_current=False),
        verdict(revision=2, pass_name="topics"),
        verdict(revision=2, pass_version=1, is_newest_version=False),
        verdict(revision=2, pass_version=2),
    ]
    heads = [one for one in text_of(several) if one.startswith("[bold]")]
    assert heads == [
        "[bold]sentiment@2[/], revision 2",
        "[bold]sentiment@1[/], revision 2 [yellow](former version)[/]",
        "[bold]topics@1[/], revision 2",
        "[bold]sentiment@1[/], revision 1 [yellow](former revision)[/]",
    ]
