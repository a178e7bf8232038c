"""Tests of telling a conversation's story in order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from parley.cli.timeline import Entry, Row, entries
from parley.codec import encode_event
from parley.events import (
    Body,
    Content,
    ConversationState,
    Event,
    MessageRevised,
    RevisionKind,
    SealForced,
    StateRequested,
)

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
        "partition": 1,
        "decided_offset": 40,
        "watermark": NOW + timedelta(hours=1),
        "continues": None,
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


def test_a_revision_says_where_it_was_decided_and_what_it_continues() -> None:
    text = told(revisions=[revision(continues="e", cut_event_time=NOW)])[0].text
    assert "decided at 1/40 when the log's time was 2026-01-31 13:00:00" in text
    assert "with a cut after it" in text
    assert "; continues segment e;" in text
    assert "continues" not in told(revisions=[revision()])[0].text


def window(**changes: Any) -> Row:
    return {
        "segment_id": "g",
        "revision": 0,
        "first_time": NOW,
        "last_time": NOW,
        "deadline": NOW + timedelta(hours=2),
        "message_count": 1,
        "held_by": None,
        **changes,
    }


def test_what_is_open_says_when_it_closes_or_who_holds_it() -> None:
    first, held = told(windows=[window(revision=3), window(deadline=None, held_by="files")])
    assert (first.at, first.kind) == (NOW + timedelta(hours=2), "open")
    assert "sealed before as revision 3" in first.text
    assert (held.at, "import files holds it" in held.text) == (None, True)


def test_a_session_that_nobody_ends_says_when_it_counts_as_ended() -> None:
    settles = {"session_id": "s", "generation": 1, "last_event_time": NOW, "settles_at": NOW}
    assert "counts as ended then" in told(open_sessions=[settles])[0].text
    settled = told(sessions=[{**SESSION, "end_reason": "idle"}])[1]
    assert "was settled" in settled.text


def happened(kind: str, body: Body, is_granted: bool | None = None) -> Row:
    event_id = "00000000-0000-4000-8000-000000000001"
    event = Event(event_id, body, NOW, NOW, tenant_id="acme", conversation_id="c")
    return {
        "event_id": event_id,
        "kind": kind,
        "event_time": NOW,
        "append_time": NOW,
        "is_granted": is_granted,
        "partition": 0,
        "log_offset": 7,
        "value": encode_event(event),
    }


def test_a_command_says_who_gave_it_and_why() -> None:
    [entry] = told(acts=[happened("seal_forced", SealForced("r", "bob", "for the report"))])
    assert (entry.kind, entry.text) == ("command", "bob had it sealed: for the report")
    assert entry.facts["position"] == "0/7"


def test_a_change_of_state_says_whether_it_was_granted() -> None:
    body = StateRequested(ConversationState.WAITING_FOR_USER, ConversationState.ENDED)
    granted, refused = (
        told(acts=[happened("state_requested", body, is_granted)])[0].text
        for is_granted in (True, False)
    )
    assert (granted, refused) == (
        "waiting for user to ended: granted",
        "waiting for user to ended: refused",
    )


def test_what_was_revised_is_said_only_with_contents() -> None:
    body = MessageRevised("m1", RevisionKind.INTERRUPTED, Content("a secret"))
    [hidden] = told(acts=[happened("message_revised", body)])
    assert hidden.text == "message m1 was interrupted: 8 characters"
    assert "secret" not in orjson.dumps(hidden.as_json()).decode()
    assert "a secret" in told(True, acts=[happened("message_revised", body)])[0].text
