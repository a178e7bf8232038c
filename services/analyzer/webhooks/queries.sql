-- Deliveries: made for verdicts, leased to senders, ended once.

-- name: note_starts
-- Nobody is told of what lies before. Where this database has never read a partition that is all
-- that it holds; where Kafka knows that more was read than the tables say, they are an older
-- backup's, and what they forgot was told of before.
INSERT INTO operations.webhook_starts (topic, partition, first_offset)
SELECT $1, known.partition,
       CASE WHEN EXISTS (SELECT FROM fences
                          WHERE consumer = $2 AND topic = $1 AND partition = known.partition)
            THEN known.hint ELSE greatest(known.hint, known.end_offset) END
  FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS known (partition, end_offset, hint)
ON CONFLICT (topic, partition) DO UPDATE
   SET first_offset = greatest(webhook_starts.first_offset,
                               (SELECT known.hint
                                  FROM unnest($3::int[], $5::bigint[]) AS known (partition, hint)
                                 WHERE known.partition = webhook_starts.partition))

-- name: start
-- Up to where nobody is told of anything.
SELECT first_offset FROM operations.webhook_starts WHERE topic = $1 AND partition = $2

-- name: receivers
-- The webhooks that are told of anything, of some tenants or (null) of all, and how each is doing.
SELECT webhook.*, coalesce(state.failure_count, 0) AS failure_count,
       coalesce(state.rests_until > now(), false) AS is_resting,
       (SELECT count(*) FROM operations.webhook_deliveries AS sent
         WHERE sent.tenant_id = webhook.tenant_id AND sent.webhook_id = webhook.webhook_id
           AND sent.state = 'claimed' AND sent.due_at > now()) AS in_flight,
       EXISTS (SELECT FROM operations.webhook_deliveries AS due
                WHERE due.tenant_id = webhook.tenant_id AND due.webhook_id = webhook.webhook_id
                  AND due.state IN ('open', 'claimed') AND due.due_at <= now()) AS has_due
  FROM webhooks AS webhook
  LEFT JOIN operations.webhook_states AS state USING (tenant_id, webhook_id)
 WHERE webhook.is_enabled AND NOT webhook.is_removed AND state.disabled_at IS NULL
   AND ($1::text[] IS NULL OR webhook.tenant_id = ANY ($1))
 ORDER BY webhook.tenant_id, webhook.webhook_id

-- name: insert_deliveries
-- In the order of the log; a verdict that is read again is told of once.
INSERT INTO operations.webhook_deliveries (
       tenant_id, delivery_id, webhook_id, conversation_id, segment_id, revision, pass_name,
       pass_version, log_offset, incarnation, analyses_partition)
SELECT tenant_id, delivery_id, webhook_id, conversation_id, segment_id, revision, pass_name,
       pass_version, log_offset, $10, $11
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::text[],
              $8::bigint[], $9::bigint[]) WITH ORDINALITY
    AS new (tenant_id, delivery_id, webhook_id, conversation_id, segment_id, revision, pass_name,
            pass_version, log_offset, place)
 ORDER BY place
ON CONFLICT (tenant_id, delivery_id) DO NOTHING

-- name: claim
-- Gives deliveries to a sender for a while, under a token: of each receiver as many as it has room
-- for. Of a conversation only the first that waits, so that they go out in order; and only what the
-- persister has written, since that is what is sent.
WITH due AS (
  SELECT chosen.tenant_id, chosen.delivery_id
    FROM unnest($1::text[], $2::text[], $3::int[]) AS receiver (tenant_id, webhook_id, room)
   CROSS JOIN LATERAL (
         SELECT waiting.tenant_id, waiting.delivery_id
           FROM operations.webhook_deliveries AS waiting
          WHERE waiting.tenant_id = receiver.tenant_id
            AND waiting.webhook_id = receiver.webhook_id
            AND waiting.state IN ('open', 'claimed') AND waiting.due_at <= now()
            AND NOT EXISTS (
                  SELECT FROM operations.webhook_deliveries AS earlier
                   WHERE earlier.tenant_id = waiting.tenant_id
                     AND earlier.webhook_id = waiting.webhook_id
                     AND earlier.conversation_id = waiting.conversation_id
                     AND earlier.state IN ('open', 'claimed')
                     AND earlier.number < waiting.number)
            AND waiting.log_offset < (
                  SELECT CASE WHEN fence.incarnation = waiting.incarnation THEN fence.next_offset
                              ELSE 9223372036854775807 END
                    FROM fences AS fence
                   WHERE fence.consumer = 'persister-analyses' AND fence.topic = $4
                     AND fence.partition = waiting.analyses_partition)
          ORDER BY waiting.due_at, waiting.number
          LIMIT receiver.room
            FOR UPDATE OF waiting SKIP LOCKED
       ) AS chosen
)
UPDATE operations.webhook_deliveries AS delivery
   SET state = 'claimed', lease_token = $5, due_at = now() + $6::interval,
       attempt_count = delivery.attempt_count + 1
  FROM due
 WHERE delivery.tenant_id = due.tenant_id AND delivery.delivery_id = due.delivery_id
RETURNING delivery.*

-- name: verdicts
-- What is sent.
SELECT v.* FROM verdicts AS v
  JOIN unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
       AS wanted (tenant_id, segment_id, revision, pass_name, pass_version)
 USING (tenant_id, segment_id, revision, pass_name, pass_version)

-- name: settle
-- Writes what became of a delivery, under its token only: who lost the lease changes nothing.
UPDATE operations.webhook_deliveries
   SET state = $4, reason = $5, due_at = now() + $6::interval, lease_token = NULL,
       ended_at = CASE WHEN $4 = 'open' THEN NULL ELSE now() END
 WHERE tenant_id = $1 AND delivery_id = $2 AND lease_token = $3
RETURNING delivery_id

-- name: insert_attempt
-- A line of the log of requests; it never holds what was sent or answered.
INSERT INTO operations.webhook_attempts (tenant_id, delivery_id, webhook_id, status, problem,
                                         latency)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: note_success
-- The receiver takes what it is sent.
INSERT INTO operations.webhook_states (tenant_id, webhook_id, last_success_at)
VALUES ($1, $2, now())
ON CONFLICT (tenant_id, webhook_id) DO UPDATE
   SET failure_count = 0, failing_since = NULL, rests_until = NULL, last_success_at = now()

-- name: note_failure
-- It does not; one that has not for very long, or says that it is gone, is told of nothing more.
INSERT INTO operations.webhook_states AS state (
       tenant_id, webhook_id, failure_count, failing_since, rests_until, disabled_at,
       disabled_reason)
VALUES ($1, $2, 1, now(), now() + $3::interval, CASE WHEN $4 THEN now() END,
        CASE WHEN $4 THEN 'the receiver says that it is gone' END)
ON CONFLICT (tenant_id, webhook_id) DO UPDATE
   SET failure_count = state.failure_count + 1,
       failing_since = coalesce(state.failing_since, now()),
       rests_until = greatest(state.rests_until, now() + $3::interval),
       disabled_at = CASE WHEN state.disabled_at IS NOT NULL THEN state.disabled_at
                          WHEN $4 OR (state.failing_since <= now() - $5::interval
                                      AND state.failure_count + 1 >= $6) THEN now() END,
       disabled_reason = CASE
           WHEN state.disabled_at IS NOT NULL THEN state.disabled_reason
           WHEN $4 THEN 'the receiver says that it is gone'
           WHEN state.failing_since <= now() - $5::interval AND state.failure_count + 1 >= $6
           THEN format('no request has succeeded since %s UTC (%s in a row); the last one: %s',
                       to_char(state.failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                       state.failure_count + 1, $7::text) END
RETURNING disabled_at = now() AS is_disabled_now

-- name: cancel
-- A webhook that was removed gets nothing more. One that is not there may still have to be read.
UPDATE operations.webhook_deliveries AS delivery
   SET state = 'cancelled', reason = 'webhook_removed', ended_at = now(), lease_token = NULL
 WHERE delivery.state IN ('open', 'claimed')
   AND EXISTS (SELECT FROM webhooks AS webhook
                WHERE webhook.tenant_id = delivery.tenant_id
                  AND webhook.webhook_id = delivery.webhook_id AND webhook.is_removed)

-- name: forget_deliveries
-- Those that ended long ago.
DELETE FROM operations.webhook_deliveries WHERE ended_at < now() - $1::interval

-- name: forget_attempts
-- Requests of long ago.
DELETE FROM operations.webhook_attempts WHERE attempted_at < now() - $1::interval

-- name: waiting
-- How many deliveries wait, since when, and how many webhooks their failures have disabled.
SELECT count(*) AS deliveries,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_seconds,
       (SELECT count(*) FROM operations.webhook_states AS state
          JOIN webhooks AS webhook USING (tenant_id, webhook_id)
         WHERE state.disabled_at IS NOT NULL AND webhook.is_enabled AND NOT webhook.is_removed)
           AS disabled
  FROM operations.webhook_deliveries WHERE state IN ('open', 'claimed')
