"""Tests of events written by hand: what is added, and what is refused before Kafka is asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parley.cli.emit.making import Now, completed, record_of, wire_of
from parley.codec.validity import MAX_RECORD_BYTES
from parley.errors import UserError
from parley.events import Event, MessageRecorded, Policy, Role

NOW = Now(datetime(2026, 1, 31, 12, tzinfo=UTC), "ada", "events")
POLICY = Policy("mine", 3, timedelta(minutes=7))


def fields(**changes: Any) -> dict[str, Any]:
    said = {"role": "ROLE_USER", "content": {"plain": {"text": "Hi"}}}
    return {"tenantId": "t", "conversationId": "c", "messageRecorded": said, **changes}


def event_of(given: dict[str, Any]) -> Event:
    return record_of(completed(wire_of(given), NOW, POLICY), NOW)[1]


def test_what_was_left_out_is_added() -> None:
    event = event_of(fields())
    assert (event.sender, event.event_time, event.received_at) == ("ada", NOW.at, NOW.at)
    assert event.policy == POLICY
    assert isinstance(event.body, MessageRecorded)
    assert (event.body.role, event.body.content.text) == (Role.USER, "Hi")


def test_what_was_said_stays() -> None:
    earlier = NOW.at - timedelta(days=1)
    event = event_of(fields(sender="bob", eventTime=earlier.isoformat(), channel="phone"))
    assert (event.sender, event.event_time, event.channel) == ("bob", earlier, "phone")


def test_the_same_id_again_is_the_same_event() -> None:
    first, again = (event_of(fields(clientMessageId="1")) for _ in range(2))
    assert first.event_id == again.event_id != event_of(fields()).event_id


def test_the_record_goes_where_the_conversation_is() -> None:
    assert record_of(completed(wire_of(fields()), NOW, POLICY), NOW)[0].key == b"t\0c"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (fields(colour="red"), "colour"),
        (fields(conversationId=""), "must be named"),
        (fields(eventId="1"), "UUID"),
        (fields(eventTime="1800-01-01T00:00:00Z"), "1900"),
        (fields(importId="i"), "belongs to an import"),
        ({"tenantId": "t", "conversationId": "c"}, "no body"),
        (fields(messageRecorded={"role": "ROLE_USER", "content": {}}), "content"),
        (fields(channel="\0"), "NUL"),
        ({"tick": {"deadline": "2026-01-31T12:00:00Z"}}, "whole partition"),
        (fields(userId="u" * 600), "longer"),
        (
            fields(
                messageRecorded={
                    "role": "ROLE_USER",
                    "content": {"plain": {"text": "x" * MAX_RECORD_BYTES}},
                }
            ),
            "large",
        ),
    ],
)
def test_what_no_consumer_would_take_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        event_of(given)
