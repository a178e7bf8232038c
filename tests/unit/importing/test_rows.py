"""Tests of reading one line as a message."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from parley.events import Role
from parley.importing.rows import MAX_LINE_BYTES, BadLine, parse_row

LINE = {
    "conversation_id": "c1",
    "role": "user",
    "content": "hello",
    "occurred_at": "2024-05-01T12:00:00Z",
}


def line(**changes: Any) -> bytes:
    return orjson.dumps({**LINE, **changes})


def reason(text: bytes) -> str:
    with pytest.raises(BadLine) as caught:
        parse_row(text)
    return str(caught.value)


def test_a_line_with_the_needed_fields_is_a_message() -> None:
    row = parse_row(line())
    assert (row.conversation_id, row.role, row.text) == ("c1", Role.USER, "hello")
    assert row.occurred_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert (row.message_id, row.user_id, row.metadata_json, row.audio_url) == ("", "", "", None)


def test_a_time_without_a_zone_is_utc() -> None:
    assert parse_row(line(occurred_at="2024-05-01 12:00:00")).occurred_at == datetime(
        2024, 5, 1, 12, tzinfo=UTC
    )


def test_a_time_with_a_zone_is_moved_to_utc() -> None:
    assert parse_row(line(occurred_at="2024-05-01T12:00:00+02:00")).occurred_at == datetime(
        2024, 5, 1, 10, tzinfo=UTC
    )


def test_the_author_of_a_users_message_is_its_user_and_is_kept() -> None:
    row = parse_row(line(author="ann"))
    assert row.user_id == "ann"
    assert orjson.loads(row.metadata_json) == {"author": "ann"}


def test_the_author_of_another_message_is_only_kept() -> None:
    row = parse_row(line(role="assistant", author="bot", metadata={"n": 1}))
    assert row.user_id == ""
    assert orjson.loads(row.metadata_json) == {"author": "bot", "n": 1}


def test_a_named_user_outranks_the_author() -> None:
    assert parse_row(line(author="ann", user_id="u7")).user_id == "u7"


def test_numbers_are_taken_as_ids() -> None:
    row = parse_row(line(conversation_id=12, message_id=3, user_id=4, session_id=5))
    assert (row.conversation_id, row.message_id, row.user_id) == ("12", "3", "4")
    assert row.session_id == "5"


def test_an_unknown_field_is_ignored_and_named() -> None:
    assert parse_row(line(mood="good")).ignored_fields == {"mood"}


def test_the_order_of_keys_and_unknown_fields_do_not_change_the_digest() -> None:
    reordered = orjson.dumps({"mood": "good", **dict(reversed(LINE.items()))})
    assert parse_row(line()).digest == parse_row(reordered).digest


@pytest.mark.parametrize("field", ["role", "content", "occurred_at", "author", "language"])
def test_any_field_that_is_used_changes_the_digest(field: str) -> None:
    other = {"role": "tool", "occurred_at": "2024-05-01T12:00:01Z"}.get(field, "other")
    assert parse_row(line()).digest != parse_row(line(**{field: other})).digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "not valid JSON at column"),
        (b'"\\ud800"', "not valid JSON"),
        (b"\xff\xfe", "not UTF-8 at byte 1"),
        (b"[]", "not a JSON object"),
        (b"x" * MAX_LINE_BYTES, "longer than"),
        (line(conversation_id=None), "conversation_id is missing"),
        (line(conversation_id=""), "conversation_id is missing"),
        (line(conversation_id=True), "conversation_id is neither"),
        (line(message_id=1.5), "message_id is neither"),
        (line(role="boss"), "role is none of user, assistant, system, tool"),
        (line(role=["user"]), "role is none of"),
        (line(role=None), "role is missing"),
        (line(content=None), "content is missing"),
        (line(content=7), "content is not text"),
        (line(occurred_at=None), "occurred_at is missing"),
        (line(occurred_at=1714564800), "occurred_at is not an ISO 8601 time"),
        (line(occurred_at="yesterday"), "occurred_at is not an ISO 8601 time"),
        (line(occurred_at="0001-01-01T00:00:00+12:00"), "occurred_at is not an ISO 8601 time"),
        (line(metadata=[1]), "metadata is not a JSON object"),
        (line(audio_url=1), "audio_url is not text"),
        (line(language={}), "language is not text"),
    ],
)
def test_a_bad_line_says_why(text: bytes, said: str) -> None:
    assert said in reason(text)


def test_a_reason_never_holds_what_the_line_says() -> None:
    assert "secret" not in reason(line(role="secret"))
    assert "secret" not in reason(b'{"content": "secret')
    assert "secret" not in reason(line(occurred_at="secret"))
