-- What the commands ask of the dead letters, and note in them.

-- name: choose
-- Letters without their bytes, and how many there are in all; what is null was not asked for.
SELECT id, service, topic, incarnation, partition, log_offset, reason, detail, append_time, key,
       octet_length(value) AS value_bytes, created_at,
       redriven_at, redriven_by, redriven_incarnation, redriven_partition, redriven_offset,
       discarded_at, discarded_by, discarded_why, count(*) OVER () AS chosen_count
  FROM dead_letters
 WHERE ($1::bigint[] IS NULL OR id = ANY($1))
   AND ($2::text IS NULL OR reason = $2)
   AND ($3::text IS NULL OR service = $3)
   AND ($4::text IS NULL OR topic = $4)
   AND ($5::timestamptz IS NULL OR created_at >= $5)
   AND ($6::timestamptz IS NULL OR created_at < $6)
   AND CASE $7::text
       WHEN 'open' THEN redriven_at IS NULL AND discarded_at IS NULL
       WHEN 'redriven' THEN redriven_at IS NOT NULL
       WHEN 'discarded' THEN discarded_at IS NOT NULL
       ELSE true END
   AND id > $8
 ORDER BY CASE WHEN $9::boolean THEN -id ELSE id END
 LIMIT $10

-- name: letter
-- One letter, whole.
SELECT *, octet_length(value) AS value_bytes FROM dead_letters WHERE id = $1

-- name: bytes
-- What letters hold, for publishing it again.
SELECT id, value, headers FROM dead_letters WHERE id = ANY($1::bigint[])

-- name: stored_event
-- What is stored under an event's id.
SELECT value, partition, log_offset FROM conversation_events
 WHERE tenant_id = $1 AND event_id = $2

-- name: is_word_pending
-- Whether something that follows from a partition's records is not in the log yet.
SELECT EXISTS (SELECT FROM outbox
                WHERE consumer = $1 AND source_topic = $2 AND source_partition = $3
                  AND published_at IS NULL)

-- name: mark_redriven
-- Where the new records lie. One that was discarded before is not discarded any more.
UPDATE dead_letters AS letter
   SET redriven_at = now(), redriven_by = $1, redriven_incarnation = $2,
       redriven_partition = sent.partition, redriven_offset = sent.log_offset,
       discarded_at = NULL, discarded_by = NULL, discarded_why = NULL
  FROM unnest($3::bigint[], $4::int[], $5::bigint[]) AS sent (id, partition, log_offset)
 WHERE letter.id = sent.id

-- name: mark_discarded
-- Nobody wants these; one that was discarded before keeps who said so first.
UPDATE dead_letters SET discarded_at = now(), discarded_by = $2, discarded_why = $3
 WHERE id = ANY($1::bigint[]) AND discarded_at IS NULL
RETURNING id

-- name: redriven_outcome
-- What became of a redriven record: a dead letter again, or how far its consumer has read. The
-- topic's name is left out: the incarnation is Kafka's own id of the one into which it went.
SELECT (SELECT id FROM dead_letters
         WHERE incarnation = $2 AND partition = $3 AND log_offset = $4) AS again_id,
       (SELECT next_offset FROM fences
         WHERE consumer = $1 AND incarnation = $2 AND partition = $3)
           AS next_offset
