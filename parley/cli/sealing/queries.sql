-- What `parley sealing` and `parley seal` ask. Of a window, `rest` is the sealer's own JSON.

-- name: windows
-- The open segments that close first ($1 at most), of a tenant ($2) or of all, due ones only ($3)
-- or all. What an import holds has no deadline, and comes last.
SELECT tenant_id, conversation_id, segment_id, partition, revision, current_revision,
       first_time AS began_at, last_time AS last_message_at, message_count, deadline,
       extract(epoch FROM deadline - now())::float8 AS seconds_left,
       rest ->> 'channel' AS channel, rest -> 'held_by' AS held_by, rest -> 'end' AS ending
  FROM sealer_windows
 WHERE ($2::text IS NULL OR tenant_id = $2) AND (NOT $3::bool OR deadline <= now())
 ORDER BY deadline, tenant_id, conversation_id, first_time
 LIMIT $1

-- name: windows_of
-- The open segments of one conversation.
SELECT tenant_id, conversation_id, segment_id, partition, revision, current_revision,
       first_time AS began_at, last_time AS last_message_at, message_count, deadline,
       extract(epoch FROM deadline - now())::float8 AS seconds_left,
       rest ->> 'channel' AS channel, rest -> 'held_by' AS held_by, rest -> 'end' AS ending
  FROM sealer_windows
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY deadline, first_time

-- name: open_by_partition
-- How many a tenant ($1), or all, have open in each partition of the events topic.
SELECT partition, count(*) AS open FROM sealer_windows
 WHERE $1::text IS NULL OR tenant_id = $1
 GROUP BY partition ORDER BY partition

-- name: due_and_held
-- How many of a tenant's ($1), or of all, are due, and how many are held by an import. Of all, each
-- by the index alone.
SELECT (SELECT count(*) FROM sealer_windows
         WHERE deadline <= now() AND ($1::text IS NULL OR tenant_id = $1)) AS due,
       (SELECT count(*) FROM sealer_windows
         WHERE deadline IS NULL AND ($1::text IS NULL OR tenant_id = $1)) AS held

-- name: last_segment
-- A conversation's latest segment that stands.
SELECT segment_id::text, revision, cause, ended_at, message_count
  FROM current_segments
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY ended_at DESC LIMIT 1

-- name: is_known
-- Whether the sealer has ever heard of a conversation.
SELECT EXISTS (SELECT FROM sealer_members WHERE tenant_id = $1 AND conversation_id = $2)
    OR EXISTS (SELECT FROM sealer_sessions WHERE tenant_id = $1 AND conversation_id = $2)

-- name: sealer_fence
-- How far the sealer has read a partition, and why it stands still, if it does.
SELECT next_offset, stopped_reason FROM fences
 WHERE consumer = 'sealer' AND topic = $1 AND partition = $2

-- name: outbox_head
-- The newest row that anybody's relay was given.
SELECT coalesce(max(id), 0) FROM outbox

-- name: decided
-- What the sealer has decided since ($1) about the conversation with this key ($2), and whether
-- the seals topic holds it yet.
SELECT value, published_at IS NOT NULL AS is_published FROM outbox
 WHERE id > $1 AND consumer = 'sealer' AND key = $2
 ORDER BY id

-- name: stored
-- How many of these revisions are in the tables.
SELECT count(*) FROM segment_revisions
  JOIN unnest($2::uuid[], $3::bigint[]) AS wanted (segment_id, revision)
       USING (segment_id, revision)
 WHERE tenant_id = $1
