-- What every consumer asks of the fence and the outbox.

-- name: claim_fence
-- Become the owner: raises the epoch, so that a former owner's batch touches no row.
-- No row comes back while the fence is held (a swap is under way), or for another incarnation:
-- then there is nothing to own, and its owner is not disturbed. Nor for another topic than the one
-- that the consumer has read: its tables would be filled twice.
INSERT INTO fences (consumer, topic, partition, incarnation, next_offset, owner_epoch, owner)
SELECT $1, $2, $3, $4, 0, 1, $5
 WHERE NOT EXISTS (SELECT FROM fences AS other WHERE other.consumer = $1 AND other.topic <> $2)
ON CONFLICT (consumer, topic, partition) DO UPDATE
   SET owner_epoch = fences.owner_epoch + 1, owner = $5, updated_at = now()
 WHERE (fences.held_until < now()) IS NOT FALSE AND fences.incarnation = $4
RETURNING incarnation, next_offset, owner_epoch, last_append_time, last_checksum

-- name: end_silent_holders
-- Ends whom the session $1 waits for, where the server has waited for its client for $2: a client
-- that was stopped. In a COPY its state is 'active' all the time; one that still copies after that
-- long loses its batch, which a later owner reads anyway.
SELECT count(*) FILTER (WHERE pg_terminate_backend(holder.pid))
  FROM unnest(pg_blocking_pids($1)) AS blocking (pid)
  JOIN pg_stat_activity AS holder USING (pid)
 WHERE holder.wait_event = 'ClientRead' AND holder.state_change < now() - $2::interval

-- name: advance_fence
-- The compare-and-set: touches one row only for the owner, at the offset that it believes in.
UPDATE fences
   SET next_offset = $7, last_append_time = $8, last_checksum = $9,
       stopped_reason = NULL, updated_at = now()
 WHERE consumer = $1 AND topic = $2 AND partition = $3 AND incarnation = $4
   AND owner_epoch = $5 AND next_offset = $6 AND (held_until < now()) IS NOT FALSE

-- name: read_fence
-- Where the fence stands, and whether a swap holds it or left it to nobody: settles whether a COMMIT whose reply was lost took place.
SELECT next_offset, owner_epoch, incarnation,
       (held_until >= now()) IS TRUE OR owner = '' AS is_held
  FROM fences
 WHERE consumer = $1 AND topic = $2 AND partition = $3

-- name: other_topic
-- The topic that the consumer has read, where it is another one.
SELECT topic FROM fences WHERE consumer = $1 AND topic <> $2 LIMIT 1

-- name: stop_fence
-- Says why this partition stands still.
UPDATE fences SET stopped_reason = $4, updated_at = now()
 WHERE consumer = $1 AND topic = $2 AND partition = $3

-- name: clear_stop
-- It goes on.
UPDATE fences SET stopped_reason = NULL, updated_at = now()
 WHERE consumer = $1 AND topic = $2 AND partition = $3 AND stopped_reason IS NOT NULL

-- name: insert_outbox
-- Rows that must be published after this commit, in the order of the arrays.
INSERT INTO outbox (consumer, source_topic, source_partition, topic, partition, key, value, headers)
SELECT $1, $2, row.source_partition, row.topic, row.partition, row.key, row.value, row.headers
  FROM unnest($3::int[], $4::text[], $5::int[], $6::bytea[], $7::bytea[], $8::jsonb[])
       WITH ORDINALITY AS row (source_partition, topic, partition, key, value, headers, number)
 ORDER BY row.number

-- name: unpublished_outbox
-- The next rows to publish, oldest first. By published_at, never by id above the last one seen:
-- ids are given out before their transactions commit.
SELECT id, topic, partition, key, value, headers, created_at FROM outbox
 WHERE consumer = $1 AND source_topic = $2 AND source_partition = $3 AND published_at IS NULL
 ORDER BY id LIMIT $4

-- name: mark_published
-- The broker has them.
UPDATE outbox SET published_at = now() WHERE id = ANY($1::bigint[])

-- name: trim_outbox
-- Published rows are of use for a day, to people who look. In portions, each well below the
-- statement timeout.
DELETE FROM outbox WHERE id IN (
  SELECT id FROM outbox
   WHERE consumer = $1 AND source_topic = $2 AND source_partition = $3
     AND published_at < now() - interval '1 day'
   LIMIT 10000)

-- name: is_row_security_active
-- Whether this login's rights depend on the row: then INSERT is allowed, and COPY is not.
SELECT row_security_active($1::text)
