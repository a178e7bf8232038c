-- What the analyzer asks of its jobs, and of the messages that they are about.
-- A job's key is (tenant, segment, revision, pass, version). Statements that wait for rows lock
-- them in the order of that key.

-- name: insert_jobs
-- The jobs of new seals; those that are known stay as they are.
INSERT INTO operations.jobs (tenant_id, conversation_id, segment_id, revision, pass_name, pass_version,
                  fingerprint, started_at, ended_at, first_event_id, last_event_id, message_count,
                  member_digest, incarnation, events_partition, decided_offset, source_partition,
                  sealed_at, trigger, lane, priority, backfill_run_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[],
                     $7::text[], $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::uuid[],
                     $12::int[], $13::bytea[], $14::text[], $15::int[], $16::bigint[], $17::int[],
                     $18::timestamptz[], $19::text[], $20::smallint[], $21::int[], $22::uuid[])
           AS job (tenant_id, conversation_id, segment_id, revision, pass_name, pass_version,
                   fingerprint, started_at, ended_at, first_event_id, last_event_id, message_count,
                   member_digest, incarnation, events_partition, decided_offset, source_partition,
                   sealed_at, trigger, lane, priority, backfill_run_id)
 ORDER BY tenant_id, segment_id, revision, pass_name, pass_version
    ON CONFLICT DO NOTHING

-- name: lock_ends_shared
-- Until the end of the transaction nobody keeps ends of unknown jobs.
SELECT pg_advisory_xact_lock_shared(7261307)

-- name: lock_ends
-- Until the end of the transaction nobody inserts jobs.
SELECT pg_advisory_xact_lock(7261307)

-- name: end_known_jobs
-- Ends those of new jobs whose end was read before them.
WITH used AS (
  DELETE FROM operations.job_ends AS ended
   USING unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
         AS key (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE ended.tenant_id = key.tenant_id AND ended.segment_id = key.segment_id
     AND ended.revision = key.revision AND ended.pass_name = key.pass_name
     AND ended.pass_version = key.pass_version
  RETURNING ended.*
)
UPDATE operations.jobs AS job SET state = used.state, reason = used.reason
  FROM used
 WHERE job.tenant_id = used.tenant_id AND job.segment_id = used.segment_id
   AND job.revision = used.revision AND job.pass_name = used.pass_name
   AND job.pass_version = used.pass_version
   AND job.state IN ('open', 'claimed', 'parked')

-- name: apply_ends
-- Ends unfinished jobs that the analyses topic says have ended. As a rule there are none: who
-- published an end has written it before.
WITH ended AS (
  SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[],
                       $7::text[])
             AS row (tenant_id, segment_id, revision, pass_name, pass_version, state, reason)
), locked AS (
  SELECT ended.*
    FROM ended
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state IN ('open', 'claimed', 'parked')
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
)
UPDATE operations.jobs AS job
   SET state = locked.state, reason = locked.reason, lease_token = NULL
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

-- name: keep_ends
-- Ends of jobs whose seals have still to be read; the latest end of a job counts.
INSERT INTO operations.job_ends AS ended (
    tenant_id, segment_id, revision, pass_name, pass_version, state, reason)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[],
                     $7::text[])
           AS row (tenant_id, segment_id, revision, pass_name, pass_version, state, reason)
 WHERE NOT EXISTS (
         SELECT FROM operations.jobs AS job
          WHERE job.tenant_id = row.tenant_id AND job.segment_id = row.segment_id
            AND job.revision = row.revision AND job.pass_name = row.pass_name
            AND job.pass_version = row.pass_version)
 ORDER BY tenant_id, segment_id, revision, pass_name, pass_version
ON CONFLICT (tenant_id, segment_id, revision, pass_name, pass_version) DO UPDATE
   SET state = excluded.state, reason = excluded.reason

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
-- much as all, so it comes alone. Only passes that this worker has, by their fingerprints.
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
              AND job.decided_offset < (
                    SELECT CASE WHEN fence.incarnation = job.incarnation THEN fence.next_offset
                                ELSE 9223372036854775807 END
                      FROM fences AS fence
                     WHERE fence.consumer = 'persister' AND fence.topic = $1
                       AND fence.partition = job.events_partition)
            ORDER BY job.priority DESC, job.due_at, job.segment_id
            LIMIT queue.most * 4
         ) AS first
), due AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version, job.lane,
         job.priority, job.due_at,
         CASE WHEN job.attempt_count > job.failure_count THEN $4 ELSE job.message_count END AS weight
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
-- A heartbeat: the holder of the token is alive. Rows that somebody has locked are being ended.
WITH held AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
    FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[])
           AS key (tenant_id, segment_id, revision, pass_name, pass_version)
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state = 'claimed' AND job.lease_token = $1
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
  SELECT * FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[], $7::text[],
                       $8::text[], $9::int[], $10::interval[])
             AS row (tenant_id, segment_id, revision, pass_name, pass_version, state, reason,
                     failure_count, due_in)
), locked AS (
  SELECT outcome.*
    FROM outcome
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state = 'claimed' AND job.lease_token = $1
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
)
UPDATE operations.jobs AS job
   SET state = locked.state, reason = locked.reason, failure_count = locked.failure_count,
       due_at = now() + locked.due_in, lease_token = NULL
  FROM locked
 WHERE job.tenant_id = locked.tenant_id AND job.segment_id = locked.segment_id
   AND job.revision = locked.revision AND job.pass_name = locked.pass_name
   AND job.pass_version = locked.pass_version
RETURNING job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version

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

-- name: count_parked
-- What parked jobs wait for.
SELECT reason, count(*) AS jobs FROM operations.jobs WHERE state = 'parked' GROUP BY reason

-- name: count_unfinished
-- How many jobs are not at their end, by state and lane.
SELECT state, lane, count(*) AS jobs FROM operations.jobs
 WHERE state IN ('open', 'claimed', 'parked')
 GROUP BY state, lane
