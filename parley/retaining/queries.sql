-- What was said before a moment ($2) by a tenant's people ($1), in portions of conversations
-- ($3). Every condition is on the row alone: in whatever order rows come and are deleted, the same
-- stay. Names are not qualified, so that tables beside the live ones can be meant.

-- name: next_conversations
-- The next conversations, after an id ($3), that began before the moment.
SELECT conversation_id FROM conversations
 WHERE tenant_id = $1 AND first_event_at < $2 AND conversation_id > $3
 ORDER BY conversation_id LIMIT $4

-- name: lock_sessions
-- Sessions before messages, as everybody locks them.
SELECT FROM conversation_sessions
 WHERE tenant_id = $1 AND conversation_id = ANY($2::text[])
 ORDER BY tenant_id, session_id, conversation_id FOR UPDATE

-- name: delete_messages
-- So many ($4) messages; what comes back are their sessions.
WITH gone AS (
    DELETE FROM conversation_messages
     WHERE tenant_id = $1 AND id IN (
           SELECT id FROM conversation_messages
            WHERE tenant_id = $1 AND conversation_id = ANY($3::text[]) AND event_time < $2
            LIMIT $4)
    RETURNING session_id
)
SELECT session_id, count(*) AS messages FROM gone GROUP BY session_id

-- name: count_session_messages
-- How many messages the sessions have left.
UPDATE conversation_sessions s
   SET message_count = (SELECT count(*) FROM conversation_messages m
                         WHERE m.tenant_id = s.tenant_id AND m.session_id = s.session_id
                           AND m.conversation_id = s.conversation_id)
 WHERE s.tenant_id = $1 AND s.session_id = ANY($2::text[]) AND s.conversation_id = ANY($3::text[])

-- name: delete_conversation_events
-- The events themselves.
DELETE FROM conversation_events
 WHERE tenant_id = $1 AND event_id IN (
       SELECT event_id FROM conversation_events
        WHERE tenant_id = $1 AND conversation_id = ANY($3::text[]) AND event_time < $2
        LIMIT $4)

-- name: delete_segments
-- Segments that had ended.
DELETE FROM segments
 WHERE tenant_id = $1 AND segment_id IN (
       SELECT segment_id FROM segments
        WHERE tenant_id = $1 AND conversation_id = ANY($3::text[]) AND ended_at < $2
        LIMIT $4)

-- name: delete_segment_revisions
-- And what was decided about them.
DELETE FROM segment_revisions
 WHERE tenant_id = $1 AND (segment_id, revision) IN (
       SELECT segment_id, revision FROM segment_revisions
        WHERE tenant_id = $1 AND conversation_id = ANY($3::text[]) AND ended_at < $2
        LIMIT $4)

-- name: delete_verdicts
-- Verdicts by when they were made.
DELETE FROM verdicts
 WHERE tenant_id = $1 AND (segment_id, revision, pass_name, pass_version) IN (
       SELECT segment_id, revision, pass_name, pass_version FROM verdicts
        WHERE tenant_id = $1 AND conversation_id = ANY($3::text[]) AND ended_at < $2
        LIMIT $4)

-- name: clear_conversations
-- Titles and metadata that were stated before: their versions say when, in microseconds of the
-- calendar, and stay, so that an old statement read again says nothing.
UPDATE conversations
   SET title = CASE WHEN title_version < '1' || $4 THEN NULL ELSE title END,
       metadata = CASE WHEN metadata_version < '1' || $4 THEN NULL ELSE metadata END
 WHERE tenant_id = $1 AND first_event_at < $2 AND conversation_id = ANY($3::text[])
   AND (title IS NOT NULL AND title_version < '1' || $4
        OR metadata IS NOT NULL AND metadata_version < '1' || $4)

-- name: clear_sessions
-- The same for where somebody connected from, and for the metadata of sessions.
UPDATE conversation_sessions
   SET client_ip = CASE WHEN substr(connection_version, 21) < $4 THEN NULL ELSE client_ip END,
       user_agent = CASE WHEN substr(connection_version, 21) < $4 THEN NULL ELSE user_agent END,
       metadata = CASE WHEN metadata_version < $4 THEN NULL ELSE metadata END
 WHERE tenant_id = $1 AND $2::timestamptz IS NOT NULL AND conversation_id = ANY($3::text[])
   AND (client_ip IS NOT NULL AND substr(connection_version, 21) < $4
        OR user_agent IS NOT NULL AND substr(connection_version, 21) < $4
        OR metadata IS NOT NULL AND metadata_version < $4)

-- name: delete_message_versions
-- Contents that were replaced, of all conversations.
DELETE FROM message_versions
 WHERE tenant_id = $1 AND (message_id, version_id) IN (
       SELECT message_id, version_id FROM message_versions
        WHERE tenant_id = $1 AND event_time < $2
        LIMIT $3)

-- name: delete_preference_events
-- Statements of preferences: they are a user's, and belong to no conversation. The latest one of
-- each user is a row of its own, which stays.
DELETE FROM conversation_events
 WHERE tenant_id = $1 AND event_id IN (
       SELECT event_id FROM conversation_events
        WHERE tenant_id = $1 AND kind = 'preferences_changed' AND event_time < $2
        LIMIT $3)

-- name: delete_dead_letters
-- Whole records of the tenant that could not be used, of all conversations: their keys begin with
-- its name and a NUL.
DELETE FROM dead_letters WHERE id IN (
  SELECT id FROM dead_letters
   WHERE append_time < $2
     AND starts_with(encode(key, 'hex'), encode(convert_to($1, 'UTF8'), 'hex') || '00')
   LIMIT $3)

-- name: delete_answers
-- Answers of models by when they were made.
DELETE FROM operations.memo
 WHERE tenant_id = $1 AND memo_key IN (
       SELECT memo_key FROM operations.memo WHERE tenant_id = $1 AND made_at < $2 LIMIT $3)

-- name: clear_raw_answers
-- What models said of segments that had ended, and was no valid answer: it may quote them. How many.
WITH cleared AS (
    UPDATE operations.jobs SET raw_answer = NULL
     WHERE tenant_id = $1 AND (segment_id, revision, pass_name, pass_version) IN (
           SELECT segment_id, revision, pass_name, pass_version FROM operations.jobs
            WHERE tenant_id = $1 AND ended_at < $2 AND raw_answer IS NOT NULL
            LIMIT $3)
    RETURNING 1
)
SELECT count(*) FROM cleared

-- name: count
-- How many rows would go, by table.
SELECT (SELECT count(*) FROM conversation_messages WHERE tenant_id = $1 AND event_time < $2)
           AS conversation_messages,
       (SELECT count(*) FROM message_versions WHERE tenant_id = $1 AND event_time < $2)
           AS message_versions,
       (SELECT count(*) FROM conversation_events WHERE tenant_id = $1 AND event_time < $2)
           AS conversation_events,
       (SELECT count(*) FROM segments WHERE tenant_id = $1 AND ended_at < $2) AS segments,
       (SELECT count(*) FROM segment_revisions WHERE tenant_id = $1 AND ended_at < $2)
           AS segment_revisions,
       (SELECT count(*) FROM verdicts WHERE tenant_id = $1 AND ended_at < $2) AS verdicts,
       (SELECT count(*) FROM dead_letters
         WHERE append_time < $2
           AND starts_with(encode(key, 'hex'), encode(convert_to($1, 'UTF8'), 'hex') || '00'))
           AS dead_letters,
       (SELECT count(*) FROM operations.memo WHERE tenant_id = $1 AND made_at < $2) AS answers
