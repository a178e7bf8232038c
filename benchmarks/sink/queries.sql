-- The simple table that all sinks fill, and the questions of who watches it.

-- name: create_table
-- What a sink without a schema of its own would write: texts, a number, and one key.
DROP TABLE IF EXISTS bench_messages;
CREATE TABLE bench_messages (
    id text PRIMARY KEY,
    conversation_id text NOT NULL,
    role text NOT NULL,
    content text NOT NULL,
    event_time_us bigint NOT NULL
)

-- name: create_incoming
-- Where a batch waits, as the persister's own do.
CREATE TEMP TABLE IF NOT EXISTS incoming_bench_messages (
    id text, conversation_id text, role text, content text, event_time_us bigint
) ON COMMIT DELETE ROWS;
DELETE FROM incoming_bench_messages

-- name: insert
-- New messages; the status tells whether any was there before.
INSERT INTO bench_messages (id, conversation_id, role, content, event_time_us)
SELECT id, conversation_id, role, content, event_time_us
  FROM incoming_bench_messages
 ORDER BY id
ON CONFLICT (id) DO NOTHING

-- name: empty_tables
-- As they were before the first record.
TRUNCATE conversations, conversation_sessions, conversation_messages, message_versions,
         conversation_events, user_preferences, dead_letters, outbox;
DELETE FROM ledger;
DELETE FROM fences

-- name: simple_has_rows
-- Whether a row is visible.
SELECT EXISTS (SELECT FROM bench_messages)

-- name: simple_count
-- The rows that are visible; asked while there are few, and at the end.
SELECT count(*) FROM bench_messages

-- name: simple_has_all
-- Whether the last message of each partition is there: it comes last.
SELECT count(*) = cardinality($1::text[]) FROM bench_messages WHERE id = ANY($1::text[])

-- name: full_has_rows
-- The same of the persister's own tables.
SELECT EXISTS (SELECT FROM conversation_messages)

-- name: full_count
-- The rows that are visible.
SELECT count(*) FROM conversation_messages

-- name: full_has_all
-- Whether the last message of each partition is there.
SELECT count(*) = cardinality($1::text[]) FROM conversation_messages
 WHERE tenant_id = 'default' AND id = ANY($1::text[]::uuid[])
