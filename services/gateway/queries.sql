-- What the gateway reads; it writes nothing here. Every query names the tenant, but for the last,
-- which reads no tenant's rows.

-- name: conversation
-- A conversation with its counts.
SELECT c.conversation_id, c.user_id, c.title, c.personality, c.channel, c.metadata, c.state,
       c.first_event_at, c.last_event_at,
       EXISTS (SELECT FROM conversation_sessions s
                WHERE s.tenant_id = c.tenant_id AND s.conversation_id = c.conversation_id
                  AND s.is_active)
           AS is_active,
       (SELECT count(*) FROM conversation_messages m
         WHERE m.tenant_id = c.tenant_id AND m.conversation_id = c.conversation_id)
           AS message_count,
       (SELECT count(*) FROM conversation_sessions s
         WHERE s.tenant_id = c.tenant_id AND s.conversation_id = c.conversation_id)
           AS session_count,
       (SELECT count(*) FROM segments g
         WHERE g.tenant_id = c.tenant_id AND g.conversation_id = c.conversation_id
           AND NOT g.is_retracted)
           AS segment_count,
       (SELECT count(*) FROM verdicts v
          JOIN segments g ON g.tenant_id = v.tenant_id AND g.segment_id = v.segment_id
                         AND g.revision = v.revision AND NOT g.is_retracted
         WHERE v.tenant_id = c.tenant_id AND v.conversation_id = c.conversation_id)
           AS verdict_count
  FROM conversations c
 WHERE c.tenant_id = $1 AND c.conversation_id = $2

-- name: conversations
-- A page of the list, last active first; what is null was not asked for.
SELECT c.conversation_id, c.user_id, c.title, c.personality, c.channel, c.metadata, c.state,
       c.first_event_at, c.last_event_at,
       EXISTS (SELECT FROM conversation_sessions s
                WHERE s.tenant_id = c.tenant_id AND s.conversation_id = c.conversation_id
                  AND s.is_active)
           AS is_active
  FROM conversations c
 WHERE c.tenant_id = $1
   AND ($2::text IS NULL OR c.user_id = $2)
   AND ($3::text IS NULL OR c.state = $3)
   AND ($4::timestamptz IS NULL OR c.last_event_at >= $4)
   AND ($5::timestamptz IS NULL OR c.last_event_at < $5)
   AND ($6::boolean IS NULL OR $6 = EXISTS (
           SELECT FROM conversation_sessions s
            WHERE s.tenant_id = c.tenant_id AND s.conversation_id = c.conversation_id
              AND s.is_active))
   AND ($7::text IS NULL OR c.title ILIKE $7 OR c.conversation_id ILIKE $7 OR EXISTS (
           SELECT FROM conversation_messages m
            WHERE m.tenant_id = c.tenant_id AND m.conversation_id = c.conversation_id
              AND m.content ILIKE $7))
   AND ($8::timestamptz IS NULL OR c.last_event_at <= $8
        AND (c.last_event_at < $8 OR c.conversation_id > $9::text))
 ORDER BY c.last_event_at DESC, c.conversation_id LIMIT $10

-- name: preferences
-- What a user prefers.
SELECT personality, language, voice, free, updated_at FROM user_preferences
 WHERE tenant_id = $1 AND user_id = $2

-- name: manner
-- How an answer should sound: always one row.
SELECT coalesce(nullif(c.personality, ''), p.personality, '') AS personality,
       coalesce(p.language, '') AS language
  FROM (SELECT) AS always
  LEFT JOIN conversations c ON c.tenant_id = $1 AND c.conversation_id = $2
  LEFT JOIN user_preferences p ON p.tenant_id = $1 AND p.user_id = $3

-- name: places
-- Where events lie in the log.
SELECT event_id, incarnation, partition, log_offset FROM conversation_events
 WHERE tenant_id = $1 AND event_id = ANY ($2::uuid[])

-- name: requests
-- Requests for another state, and what became of them.
SELECT event_id, value, is_granted, incarnation, partition, log_offset, append_time
  FROM conversation_events
 WHERE tenant_id = $1 AND conversation_id = $2 AND is_granted IS NOT NULL
 ORDER BY append_time, log_offset LIMIT $3

-- name: sessions
-- The latest sessions, newest first.
SELECT session_id, generation, user_id, channel, started_at, last_event_at, ended_at, end_reason,
       duration_seconds, message_count, is_active
  FROM conversation_sessions
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY started_at DESC NULLS FIRST, session_id LIMIT $3

-- name: segments
-- The latest segments that stand, newest first.
SELECT segment_id, revision, started_at, ended_at, message_count, cause
  FROM segments
 WHERE tenant_id = $1 AND conversation_id = $2 AND NOT is_retracted
 ORDER BY started_at DESC, segment_id LIMIT $3

-- name: verdicts
-- What the passes said of these revisions of segments.
SELECT v.segment_id, v.pass_name, v.pass_version, v.output
  FROM verdicts v
  JOIN unnest($2::uuid[], $3::bigint[]) AS wanted (segment_id, revision)
    ON v.segment_id = wanted.segment_id AND v.revision = wanted.revision
 WHERE v.tenant_id = $1
 ORDER BY v.segment_id, v.pass_name, v.pass_version

-- name: messages
-- Messages in order, after a place in that order.
SELECT id, session_id, user_id, role, content, audio_url, metadata, language, occurred_at,
       event_time, received_at, incarnation, partition, log_offset
  FROM conversation_messages
 WHERE tenant_id = $1 AND conversation_id = $2 AND (event_time, id) > ($3, $4)
 ORDER BY event_time, id LIMIT $5

-- name: newest_messages
-- The newest messages of a conversation, the last one first.
SELECT id, role, content, event_time FROM conversation_messages
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY event_time DESC, id DESC LIMIT $3

-- name: has_stored
-- Whether the persister has passed a position; no row where it never read that partition.
SELECT incarnation = $4 AND next_offset > $5 AS has_passed FROM fences
 WHERE consumer = $1 AND topic = $2 AND partition = $3
