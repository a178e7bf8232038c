-- What the analyzer asks of its jobs, and of the messages that they are about.
-- A job's key is (tenant, segment, revision, pass, version). Statements that wait for rows lock
-- them in the order of that key.

-- name: insert_jobs
-- The jobs of new seals; those that are known stay as they are.
INSERT INTO operations.jobs (tenant_id, conversation_id, segment_id, revision, pass_name, pass_version,
                  fingerprint, started_at, ended_at, first_event_id, last_event_id, message_count,
                  member_digest, incarnation, events_partition, decided_offset, source_partition,
                  sealed_at, trigger, lane, priority, backfill_run_id, traceparent)
SELECT job.*, nullif($23::text, '') FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[],
                     $7::text[], $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::uuid[],
                     $12::int[], $13::bytea[], $14::text[], $15::int[], $16::bigint[], $17::int[],
                     $18::timestamptz[], $19::text[], $20::smallint[], $21::int[], $22::uuid[])
           AS job (tenant_id, conversation_id, segment_id, revision, pass_name, pass_version,
                   fingerprint, started_at, ended_at, first_event_id, last_event_id, message_count,
                   member_digest, incarnation, events_partition, decided_offset, source_partition,
                   sealed_at, trigger, lane, priority, backfill_run_id)
 ORDER BY tenant_id, segment_id, revision, pass_name, pass_version
    ON CONFLICT DO NOTHING

-- name: lock_histories_shared
-- Until the end of the transaction nobody keeps histories of unknown jobs.
SELECT pg_advisory_xact_lock_shared(7261307)

-- name: lock_histories
-- Until the end of the transaction nobody inserts jobs.
SELECT pg_advisory_xact_lock(7261307)

-- name: use_histories
-- New jobs begin where the topic has left them, if it was read before their seals.
WITH used AS (
  DELETE FROM operations.job_histories AS known
   USING unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
         AS key (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE known.tenant_id = key.tenant_id AND known.segment_id = key.segment_id
     AND known.revision = key.revision AND known.pass_name = key.pass_name
     AND known.pass_version = key.pass_version
  RETURNING known.*
)
UPDATE operations.jobs AS job
   SET state = used.state, reason = used.reason, generation = used.generation,
       attempt_count = used.attempt_count, failure_count = used.failure_count,
       released_count = used.released_count
  FROM used
 WHERE job.tenant_id = used.tenant_id AND job.segment_id = used.segment_id
   AND job.revision = used.revision AND job.pass_name = used.pass_name
   AND job.pass_version = used.pass_version
   AND job.state IN ('open', 'claimed', 'parked')

-- name: apply_histories
-- Ends unfinished jobs that the topic says have ended, reopens those that it says were, and counts
-- attempts. As a rule there is nothing to do: who published it has written it before.
-- A later generation counts whatever there is; within one the first end does.
WITH told AS (
  SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[],
                       $7::text[], $8::int[], $9::int[], $10::int[], $11::int[])
             AS row (tenant_id, segment_id, revision, pass_name, pass_version, state, reason,
                     generation, attempt_count, failure_count, released_count)
), locked AS (
  SELECT told.*,
         told.generation > job.generation
           OR (told.generation = job.generation AND told.state <> 'open'
               AND job.state IN ('open', 'claimed', 'parked')) AS is_news
    FROM told
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE told.generation > job.generation OR told.attempt_count > job.attempt_count
      OR (told.generation = job.generation AND told.state <> 'open'
          AND job.state IN ('open', 'claimed', 'parked'))
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
)
UPDATE operations.jobs AS job
   SET state = CASE WHEN is_news THEN locked.state ELSE job.state END,
       reason = CASE WHEN is_news THEN locked.reason ELSE job.reason END,
       lease_token = CASE WHEN is_news THEN NULL ELSE job.lease_token END,
       -- A paused backfill may have held it for ever.
       due_at = CASE WHEN is_news AND locked.state = 'open' THEN now() ELSE job.due_at END,
       generation = greatest(job.generation, locked.generation),
       failure_count = CASE WHEN locked.generation > job.generation THEN locked.failure_count
                            WHEN locked.generation < job.generation THEN job.failure_count
                            ELSE greatest(job.failure_count, locked.failure_count) END,
       attempt_count = greatest(job.attempt_count, locked.attempt_count),
       released_count = greatest(job.released_count, locked.released_count)
  FROM locked
 WHERE job.tenant_id = locked.tenant_id AND job.segment_id = locked.segment_id
   AND job.revision = locked.revision AND job.pass_name = locked.pass_name
   AND job.pass_version = locked.pass_version

-- name: is_any_unknown
-- Whether one of these jobs is not there.
SELECT EXISTS (
  SELECT FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
           AS key (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE NOT EXISTS (
           SELECT FROM operations.jobs AS job
            WHERE job.tenant_id = key.tenant_id AND job.segment_id = key.segment_id
              AND job.revision = key.revision AND job.pass_name = key.pass_name
              AND job.pass_version = key.pass_version))

-- name: kept_histories
-- What is kept of these jobs so far.
SELECT known.tenant_id, known.segment_id::text, known.revision, known.pass_name,
       known.pass_version, known.state, known.reason, known.generation, known.attempt_count,
       known.failure_count, known.released_count
  FROM operations.job_histories AS known
  JOIN unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
       AS key (tenant_id, segment_id, revision, pass_name, pass_version)
       USING (tenant_id, segment_id, revision, pass_name, pass_version)
   FOR UPDATE OF known

-- name: keep_histories
-- Histories of jobs whose seals have still to be read.
INSERT INTO operations.job_histories AS known (
    tenant_id, segment_id, revision, pass_name, pass_version, state, reason, generation,
    attempt_count, failure_count, released_count)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[],
                     $7::text[], $8::int[], $9::int[], $10::int[], $11::int[])
           AS row (tenant_id, segment_id, revision, pass_name, pass_version, state, reason,
                   generation, attempt_count, failure_count, released_count)
 WHERE NOT EXISTS (
         SELECT FROM operations.jobs AS job
          WHERE job.tenant_id = row.tenant_id AND job.segment_id = row.segment_id
            AND job.revision = row.revision AND job.pass_name = row.pass_name
            AND job.pass_version = row.pass_version)
 ORDER BY tenant_id, segment_id, revision, pass_name, pass_version
ON CONFLICT (tenant_id, segment_id, revision, pass_name, pass_version) DO UPDATE
   SET state = excluded.state, reason = excluded.reason, generation = excluded.generation,
       attempt_count = excluded.attempt_count, failure_count = excluded.failure_count,
       released_count = excluded.released_count

-- name: passed_ends
-- Up to where the ends of each partition are applied.
SELECT partition, next_offset FROM fences WHERE consumer = $1 AND topic = $2

-- name: end_stale_jobs
-- Ends the unfinished jobs of revisions that are no longer wanted. A worker that still holds one
-- finds its token gone.
WITH stale AS (
  SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[])
             AS row (tenant_id, segment_id, below_revision, reason)
), locked AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version, stale.reason
    FROM stale
    JOIN operations.jobs AS job ON job.tenant_id = stale.tenant_id AND job.segment_id = stale.segment_id
                    AND job.revision < stale.below_revision
   WHERE job.state IN ('open', 'claimed', 'parked')
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
)
UPDATE operations.jobs AS job SET state = 'superseded', reason = locked.reason, lease_token = NULL
  FROM locked
 WHERE job.tenant_id = locked.tenant_id AND job.segment_id = locked.segment_id
   AND job.revision = locked.revision AND job.pass_name = locked.pass_name
   AND job.pass_version = locked.pass_version
RETURNING job.*

-- name: claim_jobs
-- Leases jobs whose messages the persister has stored: live ones before those of backfills, then
-- the greater priority, then the older. A claim is of one lane: at most $3 live jobs or $7 of
-- backfills, as many as hold $4 messages together, at least one. A job that lost a worker weighs as
-- much as all, so it comes alone. Only passes that this worker has, by their fingerprints, and
-- none that is suspended; and none of the segments $8.
-- Of each pass and lane the first are looked up in the index, so that a backlog of others costs
-- nothing; four times as many as wanted, since other workers may be locking the first. The fence
-- is asked row by row: joined to it, PostgreSQL expects next to no rows and sorts the whole backlog.
-- A seal of another incarnation is of a former one: all of that was stored before its successor.
WITH ahead AS (
  SELECT first.*
    FROM unnest($2::text[]) AS known (fingerprint)
   CROSS JOIN (VALUES (0, $3::int), (1, $7::int)) AS queue (lane, most)
   CROSS JOIN LATERAL (
           SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
             FROM operations.jobs AS job
            WHERE job.state IN ('open', 'claimed') AND job.fingerprint = known.fingerprint
              AND job.lane = queue.lane AND job.due_at <= now()
               AND job.segment_id <> ALL ($8::uuid[])
              AND job.decided_offset < (
                    SELECT CASE WHEN fence.incarnation = job.incarnation THEN fence.next_offset
                                ELSE 9223372036854775807 END
                      FROM fences AS fence
                     WHERE fence.consumer = 'persister' AND fence.topic = $1
                       AND fence.partition = job.events_partition)
            ORDER BY job.priority DESC, job.due_at, job.segment_id
            LIMIT queue.most * 4
         ) AS first
   WHERE NOT EXISTS (SELECT FROM operations.suspensions AS one
                      WHERE one.fingerprint = known.fingerprint)
), due AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version, job.lane,
         job.priority, job.due_at,
         CASE WHEN job.attempt_count > job.failure_count + job.released_count THEN $4
              ELSE job.message_count END AS weight
    FROM ahead
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state IN ('open', 'claimed') AND job.due_at <= now()
   ORDER BY job.lane, job.priority DESC, job.due_at, job.segment_id
   LIMIT greatest($3::int, $7::int)
     FOR UPDATE OF job SKIP LOCKED
), weighed AS (
  SELECT due.*, sum(weight) OVER in_order AS weight_up_to, row_number() OVER in_order AS place,
         first_value(lane) OVER in_order AS first_lane
    FROM due
  WINDOW in_order AS (
           ORDER BY lane, priority DESC, due_at, segment_id, tenant_id, revision, pass_name,
                    pass_version
           ROWS UNBOUNDED PRECEDING)
)
UPDATE operations.jobs AS job
   SET state = 'claimed', lease_token = $5, due_at = now() + $6::interval,
       attempt_count = job.attempt_count + 1
  FROM weighed
 WHERE (weighed.place = 1 OR weighed.weight_up_to <= $4::int)
   AND weighed.lane = weighed.first_lane
   AND weighed.place <= CASE weighed.lane WHEN 0 THEN $3::int ELSE $7::int END
   AND job.tenant_id = weighed.tenant_id AND job.segment_id = weighed.segment_id
   AND job.revision = weighed.revision AND job.pass_name = weighed.pass_name
   AND job.pass_version = weighed.pass_version
RETURNING job.*

-- name: extend_leases
-- A heartbeat: the holder of the tokens is alive. Rows that somebody has locked are being ended.
WITH held AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[])
           AS key (token, tenant_id, segment_id, revision, pass_name, pass_version)
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state = 'claimed' AND job.lease_token = key.token
     FOR UPDATE OF job SKIP LOCKED
)
UPDATE operations.jobs AS job SET due_at = now() + $7::interval
  FROM held
 WHERE job.tenant_id = held.tenant_id AND job.segment_id = held.segment_id
   AND job.revision = held.revision AND job.pass_name = held.pass_name
   AND job.pass_version = held.pass_version

-- name: settle_jobs
-- Writes what became of claimed jobs, under their token only: who lost it changes nothing.
WITH outcome AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[],
                       $7::text[], $8::text[], $9::int[], $10::int[], $11::interval[],
                       $12::bigint[], $13::text[])
             AS row (token, tenant_id, segment_id, revision, pass_name, pass_version, state, reason,
                     failure_count, released_count, due_in, estimated_micro_usd, raw_answer)
), locked AS (
  SELECT outcome.*
    FROM outcome
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state = 'claimed' AND job.lease_token = outcome.token
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
)
UPDATE operations.jobs AS job
   SET state = locked.state, reason = locked.reason, failure_count = locked.failure_count,
       released_count = locked.released_count, due_at = now() + locked.due_in,
       estimated_micro_usd = locked.estimated_micro_usd,
       raw_answer = coalesce(locked.raw_answer, job.raw_answer), lease_token = NULL
  FROM locked
 WHERE job.tenant_id = locked.tenant_id AND job.segment_id = locked.segment_id
   AND job.revision = locked.revision AND job.pass_name = locked.pass_name
   AND job.pass_version = locked.pass_version
RETURNING locked.token, job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version

-- name: load_members
-- The members of segments as of the positions at which they were sealed: messages within the
-- bounds up to that offset, each with the content that it had there. Of several revisions of a
-- message the greatest (event time, id) wins; the recorded message is the version with its own id.
-- Offsets of two incarnations of the topic do not compare, but between them lies the moment of the
-- copy: what was appended before the seal was known to it.
SELECT wanted.number, message.id, message.event_time, message.role,
       CASE WHEN version.version_id IS NULL THEN message.content
            ELSE version.content END AS content,
       CASE WHEN version.version_id IS NULL THEN message.audio_url
            ELSE version.audio_url END AS audio_url,
       CASE WHEN version.version_id IS NULL THEN message.metadata_text
            ELSE version.metadata_text END AS metadata_text,
       nullif(version.version_id, message.id) AS content_version,
       coalesce(version.kind = 'interrupted', false) AS is_interrupted
  FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[], $5::timestamptz[], $6::uuid[],
              $7::text[], $8::int[], $9::bigint[], $10::timestamptz[])
       WITH ORDINALITY
       AS wanted (tenant_id, conversation_id, started_at, first_event_id, ended_at, last_event_id,
                  incarnation, partition, decided_offset, sealed_at, number)
  JOIN conversation_messages AS message
    ON message.tenant_id = wanted.tenant_id AND message.conversation_id = wanted.conversation_id
   AND (message.event_time, message.id) >= (wanted.started_at, wanted.first_event_id)
   AND (message.event_time, message.id) <= (wanted.ended_at, wanted.last_event_id)
   AND CASE WHEN message.incarnation = wanted.incarnation
            THEN message.partition = wanted.partition
                 AND message.log_offset <= wanted.decided_offset
            ELSE (SELECT event.append_time FROM conversation_events AS event
                   WHERE event.tenant_id = message.tenant_id AND event.event_id = message.id
                 ) <= wanted.sealed_at END
  LEFT JOIN LATERAL (
         SELECT one.version_id, one.kind, one.content, one.audio_url, one.metadata_text
           FROM message_versions AS one
          WHERE one.tenant_id = message.tenant_id AND one.message_id = message.id
            AND one.conversation_id = message.conversation_id
            AND CASE WHEN one.incarnation = wanted.incarnation
                     THEN one.partition = wanted.partition
                          AND one.log_offset <= wanted.decided_offset
                     ELSE (SELECT event.append_time FROM conversation_events AS event
                            WHERE event.tenant_id = one.tenant_id
                              AND event.event_id = one.version_id
                          ) <= wanted.sealed_at END
          ORDER BY one.version_id = one.message_id, one.event_time DESC, one.version_id DESC
          LIMIT 1
       ) AS version ON true
 ORDER BY wanted.number, message.event_time, message.id

-- name: count_unfinished
-- How many jobs are not at their end, by state, lane and reason: only parked ones have one that
-- matters.
SELECT state, lane, CASE state WHEN 'parked' THEN reason ELSE '' END AS reason, count(*) AS jobs FROM operations.jobs
 WHERE state IN ('open', 'claimed', 'parked')
 GROUP BY 1, 2, 3

-- name: count_open
-- How many jobs of these passes wait for a worker.
SELECT count(*) FROM operations.jobs WHERE state = 'open' AND fingerprint = ANY ($1::text[])

-- name: reopen_parked
-- Lets parked jobs of these passes be claimed again: what they waited for is there.
UPDATE operations.jobs SET state = 'open', reason = '', due_at = now()
 WHERE state = 'parked' AND reason = $1 AND fingerprint = ANY ($2::text[])

-- name: suspend
-- No job of this pass is claimed, by anybody.
INSERT INTO operations.suspensions (fingerprint, pass_name, pass_version, reason)
VALUES ($1, $2, $3, $4)
    ON CONFLICT (fingerprint) DO NOTHING

-- name: end_suspensions
-- The jobs of these passes are claimed again; if nothing has changed, the first ones suspend it again.
DELETE FROM operations.suspensions WHERE fingerprint = ANY ($1::text[])
RETURNING pass_name, pass_version, reason

-- name: tell_foreign
-- Passes that this analyzer ($1) leaves to others, since it does not have what was applied.
INSERT INTO operations.foreign_passes AS one (worker_id, fingerprint, pass_name, pass_version, reason)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[])
    ON CONFLICT (worker_id, fingerprint) DO UPDATE SET reason = excluded.reason, seen_at = now()

-- name: with_open_jobs
-- Those of these fingerprints of which jobs wait for a worker.
SELECT fingerprint FROM unnest($1::text[]) AS known (fingerprint)
 WHERE EXISTS (SELECT FROM operations.jobs AS job
                WHERE job.state IN ('open', 'claimed') AND job.fingerprint = known.fingerprint)

-- name: forget_foreign
-- All that it has said, but for these; and what analyzers said that have been gone for long.
DELETE FROM operations.foreign_passes
 WHERE (worker_id = $1 AND fingerprint <> ALL ($2::text[]))
    OR seen_at < now() - interval '10 minutes'

-- name: suspensions
-- The passes that are suspended, and why.
SELECT pass_name, pass_version, fingerprint, reason FROM operations.suspensions
 ORDER BY pass_name, pass_version

-- name: recall
-- Answers that are paid for, by the places of their keys, counted from 1.
SELECT wanted.number, memo.output_json, memo.model, memo.prompt_digest
  FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS wanted (tenant_id, memo_key, number)
  JOIN operations.memo AS memo USING (tenant_id, memo_key)

-- name: remember
-- Answers that are paid for; the first one of each content and fingerprint counts.
INSERT INTO operations.memo (tenant_id, memo_key, conversation_id, output_json, model,
                             prompt_digest, made_at)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::bytea[],
                     $7::timestamptz[])
           AS row (tenant_id, memo_key, conversation_id, output_json, model, prompt_digest, made_at)
 ORDER BY tenant_id, memo_key
    ON CONFLICT DO NOTHING
