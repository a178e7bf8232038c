"""Tests of reading rows of earlier trackers."""

from typing import Any

import pytest

from parley.events import Role
from parley.importing.earlier.old_rows import Repair, old_message, old_session
from parley.importing.rows import BadLine

NOON_US = 1_714_564_800_000_000
SESSION = {"key": "s1", "start": NOON_US}
MESSAGE = {"key": "7", "session": "s1", "role": "user", "content": "hello", "time": NOON_US}


def reason(**changes: Any) -> str:
    with pytest.raises(BadLine) as caught:
        old_message({**MESSAGE, **changes}, "")
    return str(caught.value)


def test_a_message_is_as_its_row_says() -> None:
    message, repairs = old_message({**MESSAGE, "metadata": '{"b": 1, "a": 2}'}, "")
    assert (message.key, message.session_id, message.conversation_id) == ("7", "s1", "")
    assert (message.role, message.text, message.occurred_us) == (Role.USER, "hello", NOON_US)
    assert message.metadata_json == '{"a":2,"b":1}'
    assert not repairs


def test_a_prefix_goes_before_sessions_and_conversations_and_not_before_messages() -> None:
    message, _ = old_message({**MESSAGE, "conversation": "c"}, "eu-")
    assert (message.key, message.session_id, message.conversation_id) == ("7", "eu-s1", "eu-c")
    session, _ = old_session(SESSION, "eu-")
    assert (session.key, session.conversation_id) == ("eu-s1", "")


@pytest.mark.parametrize(
    ("written", "role"),
    [("User", Role.USER), (" human", Role.USER), ("AI", Role.ASSISTANT), ("function", Role.TOOL)],
)
def test_a_role_that_is_written_otherwise_is_counted(written: str, role: Role) -> None:
    message, repairs = old_message({**MESSAGE, "role": written}, "")
    assert message.role is role
    assert repairs == {Repair.ROLE_RENAMED: 1}


@pytest.mark.parametrize(
    ("text", "kept"),
    [("[1]", '{"value":[1]}'), ('"x"', '{"value":"x"}'), ("not json", '{"value":"not json"}')],
)
def test_metadata_that_is_no_object_is_kept_under_a_name(text: str, kept: str) -> None:
    session, repairs = old_session({**SESSION, "metadata": text}, "")
    assert session.metadata_json == kept
    assert repairs == {Repair.METADATA_WRAPPED: 1}


@pytest.mark.parametrize("text", [None, "", " ", "null", "{}"])
def test_metadata_may_say_nothing(text: str | None) -> None:
    assert old_session({**SESSION, "metadata": text}, "")[0].metadata_json == ""


def test_a_time_may_be_a_text() -> None:
    for text in ("2024-05-01 12:00:00", "2024-05-01T14:00:00+02:00"):
        assert old_message({**MESSAGE, "time": text}, "")[0].occurred_us == NOON_US


def test_what_is_only_heard_needs_no_content() -> None:
    message, _ = old_message({**MESSAGE, "content": None, "audio_url": "https://a/b.ogg"}, "")
    assert message.text == ""


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), 1e12])
def test_a_duration_that_cannot_be_says_nothing(seconds: float) -> None:
    session, _ = old_session({**SESSION, "duration": seconds}, "")
    assert session.duration_s is None
    assert session.has_duration


def test_a_bad_row_says_why_and_never_what_it_holds() -> None:
    assert reason(role="secret") == "its role is none of user, assistant, system, tool"
    assert reason(role=None) == "its role is missing"
    assert reason(content=None) == "its content is missing"
    assert reason(time=None) == "its time is missing"
    assert reason(time="secret") == "its time is not an ISO 8601 time"
    assert reason(time=-(10**17)) == "its time lies outside the years 1900 to 2200"
    assert reason(session=None) == "it names neither a session nor a conversation"
    with pytest.raises(BadLine, match="its key is missing"):
        old_session({**SESSION, "key": None}, "")


def test_the_digest_covers_all_that_a_row_says() -> None:
    digest = old_message(MESSAGE, "")[0].digest
    for name, value in {"content": "x", "time": 1, "session": "x", "metadata": "{}"}.items():
        assert old_message({**MESSAGE, name: value}, "")[0].digest != digest
