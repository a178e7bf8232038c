"""Tests of showing records without what people said."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from parley.cli.log_reader import Selection
from parley.cli.records import as_json, as_line, without_content
from parley.codec import LogRecord, encode_event, event_key
from parley.events import Content, Event, MessageRecorded, Role, Tick
from parley.topics import Topic

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECRET = "what was said"


def record(event: Event | None = None, key: bytes | None = None, **more: Any) -> LogRecord:
    chosen = event or message()
    key = event_key(chosen.tenant_id, chosen.conversation_id) if key is None else key
    fields = {"value": encode_event(chosen), **more}
    return LogRecord("events", 2, 7, NOW, key, **fields)


def message() -> Event:
    content = Content(SECRET, "https://audio.example/secret", '{"note": "secret"}')
    return Event(
        "6f1d2b5e-4f0c-5b0e-9c51-8a3c6d0f7e21",
        MessageRecorded(Role.USER, content),
        NOW,
        NOW,
        tenant_id="default",
        conversation_id="c1",
    )


def test_content_is_shown_by_its_length_unless_it_is_asked_for() -> None:
    hidden = orjson.dumps(as_json(Topic.EVENTS, record(), with_content=False))
    assert b"secret" not in hidden
    assert SECRET.encode() not in hidden
    assert f'"textLength":{len(SECRET)}'.encode() in hidden
    shown = as_json(Topic.EVENTS, record(), with_content=True)
    assert shown["event"]["messageRecorded"]["content"]["plain"]["text"] == SECRET


def test_the_line_says_when_where_whose_and_what() -> None:
    text = as_line(Topic.EVENTS, record(), with_content=False)
    assert text.startswith("2026-01-31T12:00:00.000Z  2/7  c1  messageRecorded  role=ROLE_USER")
    assert SECRET not in text
    assert SECRET in as_line(Topic.EVENTS, record(), with_content=True)


def test_the_line_stays_one_and_steers_no_terminal() -> None:
    steering = replace(message(), conversation_id="c\n1\x1b[2J", user_id="\x9b31m")
    text = as_line(Topic.EVENTS, record(steering), with_content=False)
    assert r"c\n1\x1b[2J" in text
    assert r"userId=\x9b31m" in text
    assert text.isprintable()


def test_the_json_is_the_canonical_mapping() -> None:
    shown = as_json(Topic.EVENTS, record(), with_content=True)
    assert shown["event"]["eventTime"] == "2026-01-31T12:00:00Z"
    assert (shown["partition"], shown["offset"]) == (2, 7)


def test_a_record_of_a_whole_partition_has_no_conversation() -> None:
    tick = Event("6f1d2b5e-4f0c-5b0e-9c51-8a3c6d0f7e21", Tick(NOW), NOW, NOW)
    assert "  -  tick  deadline=" in as_line(Topic.EVENTS, record(tick, b""), with_content=False)


def test_a_record_that_cannot_be_read_is_shown_as_such() -> None:
    broken = record(value=b"\xff\xff\xff")
    assert "invalid" in as_json(Topic.EVENTS, broken, with_content=False)
    assert "invalid=" in as_line(Topic.EVENTS, broken, with_content=False)


def test_a_dead_letter_is_shown_by_its_headers() -> None:
    dead = record(value=b"raw", headers=(("parley-reason", b"nul"),))
    shown = as_json(Topic.DEAD_LETTERS, dead, with_content=False)
    assert shown["headers"] == {"parley-reason": "nul"}
    assert shown["key"] == "default/c1"
    assert shown["bytes"] == 3
    assert as_json(Topic.DEAD_LETTERS, dead, with_content=True)["value"] == "cmF3"


def test_private_texts_are_found_at_any_depth() -> None:
    assert without_content({"a": [{"text": "xyz", "n": 1}]}) == {"a": [{"textLength": 3, "n": 1}]}


def test_a_selection_goes_by_the_key() -> None:
    mine, other = record(), record(key=event_key("default", "c2"))
    assert Selection("default", "c1").holds(mine)
    assert Selection(None, "c1").holds(mine)
    assert not Selection("default", "c1").holds(other)
    assert not Selection("acme", None).holds(mine)
    assert Selection().holds(record(key=b""))
    assert not Selection("default").holds(record(key=b""))
