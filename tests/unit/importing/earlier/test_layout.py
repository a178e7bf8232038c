"""Tests of knowing an earlier tracker's tables by their columns."""

import pytest

from parley.errors import UserError
from parley.importing.earlier.layout import layout_of

TEXT, TIME, ZONED, INTEGER = (
    "text",
    "timestamp without time zone",
    "timestamp with time zone",
    "integer",
)
MESSAGES = {"id": INTEGER, "session_id": TEXT, "role": TEXT, "content": TEXT, "timestamp": TIME}
FIRST = {"id": INTEGER, "session_id": TEXT, "session_start": TIME, "session_end": TIME}
SECOND = {"id": TEXT, "started_at": ZONED, "ended_at": ZONED, "metadata": "jsonb"}


def test_the_first_generation_is_known_by_its_times() -> None:
    layout = layout_of(FIRST, MESSAGES, None)
    assert layout.sessions == {"key": "session_id", "start": "session_start", "end": "session_end"}
    assert layout.messages["time"] == "timestamp"


def test_the_second_generation_is_known_by_its_times() -> None:
    layout = layout_of(SECOND, {**MESSAGES, "created_at": ZONED}, None)
    assert layout.sessions["key"] == "id"
    assert (layout.sessions["start"], layout.sessions["end"]) == ("started_at", "ended_at")


def test_a_foreign_key_says_which_column_is_the_sessions_key() -> None:
    assert layout_of(FIRST, MESSAGES, "id").sessions["key"] == "id"


def test_without_one_the_key_is_of_the_messages_own_type() -> None:
    messages = {**MESSAGES, "session_id": INTEGER}
    assert layout_of(FIRST, messages, None).sessions["key"] == "id"


def test_it_is_told_what_was_found_and_what_not() -> None:
    sessions, messages = layout_of(SECOND, MESSAGES, None).found()
    assert "started_at (start), ended_at (end)" in sessions
    assert "no conversation, user, duration, is_active" in sessions
    assert "timestamp (time)" in messages
    assert "no conversation, user, audio_url, language, metadata" in messages


def test_times_may_be_texts() -> None:
    layout = layout_of({**SECOND, "started_at": TEXT}, MESSAGES, None)
    assert layout.text_times == {"conversation_sessions.start"}


@pytest.mark.parametrize(
    ("sessions", "messages", "said"),
    [
        (FIRST, {**MESSAGES, "log_offset": "bigint"}, "Parley's own"),
        ({"id": TEXT}, MESSAGES, "no column session_start or started_at; it has id"),
        ({"started_at": TIME}, MESSAGES, "no column session_id or id"),
        (FIRST, {"id": TEXT, "session_id": TEXT, "role": TEXT}, "no column content"),
        (FIRST, {"role": TEXT, "content": TEXT, "timestamp": TIME}, "session_id or conversation"),
        (FIRST, {**MESSAGES, "timestamp": "bigint"}, "timestamp is bigint, which is no time"),
    ],
)
def test_other_tables_are_refused(
    sessions: dict[str, str], messages: dict[str, str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        layout_of(sessions, messages, None)
