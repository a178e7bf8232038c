"""The tables of both generations of earlier trackers, with every fault that they are known for."""

from typing import Any, Final

import asyncpg

# Times without a zone, numbered messages, no conversations, no metadata.
FIRST: Final = """
CREATE TABLE conversation_sessions (
    id serial PRIMARY KEY, session_id text UNIQUE, user_id text, session_start timestamp,
    session_end timestamp, duration_seconds integer, is_active boolean DEFAULT true);
CREATE TABLE conversation_messages (
    id serial PRIMARY KEY, session_id text, user_id text, role text, content text,
    audio_url text, timestamp timestamp);
INSERT INTO conversation_sessions
       (session_id, user_id, session_start, session_end, duration_seconds, is_active) VALUES
    ('good', 'ann', '2020-03-01 10:00', '2020-03-01 10:10', 600, false),
    ('active', 'ann', '2020-03-02 10:00', '2020-03-02 10:10', 600, true),
    ('endless', 'ann', '2020-03-03 10:00', NULL, NULL, false),
    ('backwards', 'ann', '2020-03-04 10:00', '2020-03-04 09:00', NULL, false),
    ('open', 'ann', '2020-03-05 10:00', NULL, NULL, true),
    ('silent', 'ann', '2020-03-06 10:00', '2020-03-06 10:01', NULL, false),
    ('nobody', NULL, '2020-03-07 10:00', '2020-03-07 10:05', 7, false),
    ('nothing', 'ann', NULL, NULL, NULL, true);
INSERT INTO conversation_messages
       (session_id, user_id, role, content, audio_url, timestamp) VALUES
    ('good', 'ann', 'user', 'My parcel has not come.', NULL, '2020-03-01 10:01'),
    ('good', NULL, 'assistant', 'I am sorry. Which one?', NULL, '2020-03-01 10:02'),
    ('active', 'ann', 'Human', NULL, 'https://example.com/a.ogg', '2020-03-02 10:01'),
    ('endless', 'ann', 'user', 'hello?', NULL, '2020-03-03 10:04'),
    ('backwards', 'ann', 'user', 'one', NULL, '2020-03-04 10:01'),
    ('backwards', 'ann', 'user', 'two', NULL, '2020-03-04 10:02:00.123456'),
    ('open', 'ann', 'user', 'still there?', NULL, '2020-03-05 10:01'),
    ('nobody', 'bob', 'user', 'it is me', NULL, '2020-03-07 10:01'),
    ('ghost', 'eve', 'user', 'nobody wrote down my session', NULL, '2020-03-08 10:00'),
    ('ghost', NULL, 'assistant', 'indeed', NULL, '2020-03-08 10:03'),
    (NULL, 'eve', 'user', 'lost', NULL, '2020-03-08 10:00'),
    ('good', 'ann', 'boss', 'a secret', NULL, '2020-03-01 10:03'),
    ('good', 'ann', 'user', NULL, NULL, '2020-03-01 10:03'),
    ('good', 'ann', 'user', 'when?', NULL, 'infinity');
"""
FIRST_FIGURES: Final[dict[str, Any]] = {
    "session_rows": 8,
    "message_rows": 14,
    "conversations": 8,
    "sessions": 8,
    "sessions_left_open": 1,
    "messages": 10,
    "repeated": 0,
    "repairs": {
        "no_duration": 3,
        "active_though_ended": 1,
        "ends_before_start": 1,
        "no_end": 1,
        "no_user_on_message": 1,
        "no_user_on_session": 1,
        "role_renamed": 1,
        "session_missing": 1,
        "wrong_duration": 1,
    },
    "rejected": {
        "conversation_messages: it names neither a session nor a conversation": 1,
        "conversation_messages: its content is missing": 1,
        "conversation_messages: its role is none of user, assistant, system, tool": 1,
        "conversation_messages: its time is missing": 1,
        "conversation_sessions: it has no start, no end and no message": 1,
    },
    "earliest": "2020-03-01T10:00:00+00:00",
    "latest": "2020-03-08T10:03:00+00:00",
}
# Session, user, first and last moment: as they come in.
FIRST_SESSIONS: Final = {
    ("good", "ann", "03-01 10:00:00", "03-01 10:10:00"),
    ("active", "ann", "03-02 10:00:00", "03-02 10:10:00"),
    ("endless", "ann", "03-03 10:00:00", "03-03 10:04:00"),
    ("backwards", "ann", "03-04 10:00:00", "03-04 10:02:00"),
    ("open", "ann", "03-05 10:00:00", ""),
    ("silent", "ann", "03-06 10:00:00", "03-06 10:01:00"),
    ("nobody", "bob", "03-07 10:00:00", "03-07 10:05:00"),
    ("ghost", "eve", "03-08 10:00:00", "03-08 10:03:00"),
}

# In a schema of its own: conversations, UUIDs, times with zones, metadata, no durations.
SECOND: Final = """
CREATE SCHEMA "Tracker 2";
SET search_path = "Tracker 2";
CREATE TABLE conversation_sessions (
    id uuid PRIMARY KEY, conversation_id text, user_id text, started_at timestamptz,
    ended_at timestamptz, is_active boolean, metadata jsonb);
CREATE TABLE conversation_messages (
    id uuid, session_id uuid, conversation_id text, role text, content text, metadata json,
    created_at timestamptz);
INSERT INTO conversation_sessions VALUES
    ('00000000-0000-0000-0000-00000000000a', 'talk', 'ann', '2021-03-01 12:00+02',
     '2021-03-01 10:10Z', true, '{"b": 1, "a": "x"}'),
    ('00000000-0000-0000-0000-00000000000b', 'talk', 'ann', '2021-03-01 10:20Z',
     '2021-03-01 10:30Z', false, '[1, 2]'),
    ('00000000-0000-0000-0000-00000000000c', NULL, 'ann', NULL, '2021-03-02 10:30Z', false, NULL);
INSERT INTO conversation_messages VALUES
    ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000a', 'talk',
     'user', 'one', '{"n": 9007199254740993}', '2021-03-01 10:01Z'),
    ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-00000000000b', NULL,
     'user', 'two', '"loud"', '2021-03-01 10:21Z'),
    ('00000000-0000-0000-0000-000000000003', NULL, 'talk', 'system', 'three', NULL,
     '2021-03-01 11:00Z'),
    ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-00000000000c', NULL,
     'user', 'four', NULL, '2021-03-02 10:00Z'),
    ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-00000000000c', NULL,
     'user', 'four', NULL, '2021-03-02 10:00Z'),
    ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-00000000000a', 'talk',
     'user', 'five', NULL, '2021-03-01 10:05Z'),
    ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-00000000000a', 'talk',
     'user', 'not five', NULL, '2021-03-01 10:06Z');
"""
SECOND_FIGURES: Final[dict[str, Any]] = {
    "session_rows": 3,
    "message_rows": 7,
    "conversations": 2,
    "sessions": 3,
    "sessions_left_open": 0,
    "messages": 5,
    "repeated": 1,
    "repairs": {
        "no_user_on_message": 6,
        "metadata_wrapped": 2,
        "active_though_ended": 1,
        "message_without_session": 1,
        "no_start": 1,
    },
    "rejected": {"conversation_messages: another row has the same key and other content": 1},
    "earliest": "2021-03-01T10:00:00+00:00",
    "latest": "2021-03-02T10:30:00+00:00",
}

# Many of both, without a fault.
MANY: Final = """
CREATE TABLE conversation_sessions (session_id text, started_at timestamptz, ended_at timestamptz);
CREATE TABLE conversation_messages (
    id bigint PRIMARY KEY, session_id text, role text, content text, created_at timestamptz);
INSERT INTO conversation_sessions
SELECT 's' || one, '2020-01-01Z'::timestamptz + one * interval '1 hour',
       '2020-01-01Z'::timestamptz + one * interval '1 hour' + interval '50 minutes'
  FROM generate_series(1, {sessions}) AS one;
INSERT INTO conversation_messages
SELECT one, 's' || 1 + one % {sessions}, 'user', 'message ' || one,
       '2020-01-01Z'::timestamptz + (1 + one % {sessions}) * interval '1 hour'
       + (one / {sessions}) * interval '1 second'
  FROM generate_series(1, {messages}) AS one;
"""


async def fill(url: str, statements: str) -> None:
    """Run the statements in the old database."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def contents(url: str, schema: str = "public") -> list[str]:
    """All rows of both tables, as texts."""
    connection = await asyncpg.connect(url)
    try:
        return [
            row[0]
            for table in ("conversation_sessions", "conversation_messages")
            for row in await connection.fetch(
                f'SELECT one::text FROM "{schema}".{table} AS one ORDER BY 1'  # noqa: S608
            )
        ]
    finally:
        await connection.close()
