"""Tests of telling a conversation's story in order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from parley.cli.timeline import Entry, Row, entries

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def told(with_content: bool = False, **sections: list[Row]) -> list[Entry]:
    return entries(sections, with_content=with_content)


def message(minute: int, text: str = "hello") -> Row:
    return {
        "id": f"m{minute}",
        "role": "user",
        "content": text,
        "event_time": NOW + timedelta(minutes=minute),
        "content_version": None,
        "partition": 0,
        "log_offset": minute,
        "import_id": None,
    }


SESSION = {
    "session_id": "s",
    "generation": 1,
    "user_id": "u",
    "started_at": NOW,
    "last_event_at": NOW,
    "ended_at": NOW + timedelta(minutes=2),
    "end_reason": "explicit",
    "duration_seconds": 120,
    "message_count": 2,
}


def revision(**changes: Any) -> Row:
    return {
        "segment_id": "g",
        "revision": 2,
        "message_count": 2,
        "started_at": NOW,
        "ended_at": NOW,
        "cause": "late",
        "policy_id": "default",
        "policy_version": 1,
        "is_current": True,
        "is_retracted": False,
        "merged_into": None,
        "sealed_at": NOW + timedelta(hours=2),
        "cut_event_time": None,
        "retracted": "[]",
        **changes,
    }


def test_everything_is_told_in_the_order_of_time() -> None:
    found = told(messages=[message(3), message(1)], sessions=[SESSION])
    assert [one.kind for one in found] == ["session", "message", "session end", "message"]


def test_content_is_told_only_when_it_is_asked_for() -> None:
    hidden = told(messages=[message(1, "secret words")])[0]
    assert "secret" not in orjson.dumps(hidden.as_json()).decode()
    assert "12 characters" in hidden.text
    assert "secret words" in told(True, messages=[message(1, "secret words")])[0].text


def test_a_session_that_only_a_message_named_is_told_as_such() -> None:
    found = told(sessions=[{**SESSION, "started_at": None, "ended_at": None}])
    assert [one.kind for one in found] == ["session"]
    assert "its start has not been read yet" in found[0].text


def test_a_revision_says_why_it_closed_and_whether_it_counts() -> None:
    text = told(revisions=[revision()])[0].text
    assert "closed because of: late" in text
    assert text.endswith("current")


def test_a_merge_tells_the_segments_that_it_swallowed() -> None:
    swallowed = [{"segment_id": "h", "revision": 1, "merged_into": "g"}]
    found = told(revisions=[revision(retracted=orjson.dumps(swallowed).decode())])
    assert [one.kind for one in found] == ["sealed", "retracted"]
    assert "segment h revision 1" in found[1].text
