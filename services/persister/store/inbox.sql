-- The messages that people wrote with SQL, on their way into the log.

-- name: take_turn
-- One relay at a time, whichever process it is in, until the transaction ends.
SELECT pg_try_advisory_xact_lock(7261307)

-- name: waiting
-- The next ones to publish, oldest first. By their marks, never by an id above the last one seen:
-- ids are given out before their transactions commit. A time that Python cannot hold comes as one
-- that it can, and that no consumer takes either.
SELECT id, tenant_id, event_id::text, conversation_id, session_id, user_id, sender,
       client_message_id, role, content, audio_url, metadata_text, channel, language,
       CASE WHEN occurred_at < '0002-01-01T00:00:00Z' THEN '0002-01-01T00:00:00Z'
            WHEN occurred_at > '9998-01-01T00:00:00Z' THEN '9998-01-01T00:00:00Z'
            ELSE occurred_at END, recorded_at
  FROM operations.inbox
 WHERE published_at IS NULL AND refused_at IS NULL
 ORDER BY id LIMIT $1

-- name: mark_published
-- The broker has them.
UPDATE operations.inbox SET published_at = now() WHERE id = ANY($1::bigint[])

-- name: mark_refused
-- No consumer would take them; the reason stays beside them.
UPDATE operations.inbox AS i SET refused_at = now(), refused_reason = bad.reason
  FROM unnest($1::bigint[], $2::text[]) AS bad (id, reason)
 WHERE i.id = bad.id

-- name: trim_published
-- What was published is in conversation_messages; a day is for people who look. In portions.
DELETE FROM operations.inbox WHERE id IN (
  SELECT id FROM operations.inbox WHERE published_at < now() - interval '1 day' LIMIT 1000)

-- name: trim_refused
-- Refused ones stay for a month, for whoever wrote them to see why.
DELETE FROM operations.inbox WHERE id IN (
  SELECT id FROM operations.inbox WHERE refused_at < now() - interval '30 days' LIMIT 1000)
