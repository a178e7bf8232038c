-- What an import asks of the tables while it waits, and for its summary.

-- name: records_left
-- How many records a consumer has still to read up to the target offsets of a topic, and why
-- one of those partitions stands still, if one does.
SELECT coalesce(sum(greatest(0, target.next_offset - coalesce(fences.next_offset, 0))), 0)::bigint
           AS records_left,
       max(fences.stopped_reason) AS stopped_reason
  FROM unnest($3::int[], $4::bigint[]) AS target (partition, next_offset)
  LEFT JOIN fences ON fences.consumer = $1 AND fences.topic = $2
                  AND fences.partition = target.partition

-- name: outbox_head
-- The newest row that a consumer's relay has still to publish.
SELECT max(id) FROM outbox WHERE consumer = $1 AND published_at IS NULL

-- name: outbox_left
-- How many rows up to that one are still to be published.
SELECT count(*) FROM outbox WHERE consumer = $1 AND published_at IS NULL AND id <= $2

-- name: open_windows
-- Open segments with messages of the import, and those among them that are about to close: what
-- is recent stays open until it was quiet for its gap, and nobody waits for that.
SELECT count(*) AS open,
       count(*) FILTER (WHERE deadline IS NULL OR deadline < now() + interval '10 seconds')
           AS closing
  FROM sealer_windows AS open
 WHERE open.tenant_id = $1
   AND EXISTS (
       SELECT FROM conversation_messages AS message
        WHERE message.tenant_id = open.tenant_id COLLATE "default"
          AND message.conversation_id = open.conversation_id COLLATE "default"
          AND message.event_time BETWEEN open.first_time AND open.last_time
          AND message.import_id = $2)

-- name: jobs_left
-- Jobs of segments that were decided within the import's offsets and have not ended. Parked ones
-- wait for a person, so nobody waits for them here.
SELECT count(*)
  FROM operations.jobs
  JOIN unnest($1::int[], $2::bigint[], $3::bigint[]) AS span (partition, first_offset, last_offset)
    ON jobs.events_partition = span.partition
   AND jobs.decided_offset BETWEEN span.first_offset AND span.last_offset
 WHERE jobs.state IN ('open', 'claimed')

-- name: count_messages
-- Messages of these conversations that this run of the import brought: of equal copies the first
-- in the log is the one that is stored.
SELECT count(*)
  FROM conversation_messages AS message
  JOIN unnest($4::int[], $5::bigint[]) AS span (partition, first_offset)
    ON message.partition = span.partition AND message.log_offset >= span.first_offset
 WHERE message.tenant_id = $1 AND message.conversation_id = ANY($2) AND message.import_id = $3

-- name: count_segments
-- Current segments of these conversations, and the verdicts about them.
SELECT count(DISTINCT segment.segment_id) AS segments, count(verdict.pass_name) AS verdicts
  FROM segments AS segment
  LEFT JOIN verdicts AS verdict
    ON verdict.tenant_id = segment.tenant_id AND verdict.segment_id = segment.segment_id
   AND verdict.revision = segment.revision
 WHERE segment.tenant_id = $1 AND segment.conversation_id = ANY($2) AND NOT segment.is_retracted

-- name: count_dead_letters
-- Records of the import that could not be used: others may lie between them. What an import wrote
-- names it ($5), and is readable but for what a table or an id would not take.
SELECT count(*)
  FROM dead_letters AS letter
  JOIN unnest($2::int[], $3::bigint[], $4::bigint[]) AS span (partition, first_offset, last_offset)
    ON letter.partition = span.partition
   AND letter.log_offset BETWEEN span.first_offset AND span.last_offset
 WHERE letter.topic = $1 AND position(convert_to($5, 'UTF8') IN letter.value) > 0

-- name: least_read
-- How far the slowest of these consumers has read each partition of a topic, and why one of them
-- stands still there, if one does.
SELECT partition, min(next_offset) AS next_offset, max(stopped_reason) AS stopped_reason
  FROM fences
 WHERE topic = $1 AND incarnation = $2 AND consumer = ANY($3::text[])
 GROUP BY partition

-- name: load_bookmarks
-- How far an import has come in each partition.
SELECT partition, event_count, last_offset
  FROM operations.import_bookmarks
 WHERE tenant_id = $1 AND import_id = $2 AND topic = $3 AND incarnation = $4

-- name: save_bookmarks
-- Moves the bookmarks of an import; one of another incarnation of the topic is begun anew.
INSERT INTO operations.import_bookmarks AS known
       (tenant_id, import_id, topic, partition, incarnation, event_count, last_offset)
SELECT $1, $2, $3, moved.partition, $4, moved.event_count, moved.last_offset
  FROM unnest($5::int[], $6::bigint[], $7::bigint[])
       AS moved (partition, event_count, last_offset)
 ORDER BY moved.partition
    ON CONFLICT (tenant_id, import_id, topic, partition) DO UPDATE
   SET incarnation = excluded.incarnation,
       event_count = excluded.event_count,
       last_offset = excluded.last_offset,
       updated_at = now()
