-- What backfills ask of the tables, wherever they are run from.

-- name: judge
-- What is known of pairs of a segment's revision and a pass version, in the order of the arrays.
-- An end that was read before its job counts as the job's: it would end it at once.
SELECT segment.revision, coalesce(segment.is_retracted, false) AS is_retracted,
       coalesce(job.state, ended.state) AS job_state, job.fingerprint AS job_fingerprint,
       job.backfill_run_id::text AS job_run_id, verdict.fingerprint AS verdict_fingerprint,
       EXISTS (SELECT FROM verdicts AS other
                WHERE other.tenant_id = wanted.tenant_id AND other.segment_id = wanted.segment_id
                  AND other.revision = wanted.revision AND other.pass_name = wanted.pass_name
                  AND other.pass_version <> wanted.pass_version) AS has_other_version,
       EXISTS (SELECT FROM verdicts AS other
                WHERE other.tenant_id = wanted.tenant_id AND other.segment_id = wanted.segment_id
                  AND other.revision < wanted.revision AND other.pass_name = wanted.pass_name
              ) AS has_other_revision
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[]) WITH ORDINALITY
       AS wanted (tenant_id, segment_id, revision, pass_name, pass_version, number)
  LEFT JOIN segments AS segment
    ON segment.tenant_id = wanted.tenant_id AND segment.segment_id = wanted.segment_id
  LEFT JOIN operations.jobs AS job
    ON job.tenant_id = wanted.tenant_id AND job.segment_id = wanted.segment_id
   AND job.revision = wanted.revision AND job.pass_name = wanted.pass_name
   AND job.pass_version = wanted.pass_version
  LEFT JOIN operations.job_histories AS ended
    ON ended.state <> 'open'
   AND ended.tenant_id = wanted.tenant_id AND ended.segment_id = wanted.segment_id
   AND ended.revision = wanted.revision AND ended.pass_name = wanted.pass_name
   AND ended.pass_version = wanted.pass_version
  LEFT JOIN verdicts AS verdict
    ON verdict.tenant_id = wanted.tenant_id AND verdict.segment_id = wanted.segment_id
   AND verdict.revision = wanted.revision AND verdict.pass_name = wanted.pass_name
   AND verdict.pass_version = wanted.pass_version
 ORDER BY wanted.number

-- name: oldest_segments
-- Current segments that were sealed before $1, behind a place in the order by that time.
SELECT one.*
  FROM segments AS segment
  JOIN segment_revisions AS one
    ON one.tenant_id = segment.tenant_id AND one.segment_id = segment.segment_id
   AND one.revision = segment.revision
 WHERE NOT segment.is_retracted AND one.sealed_at < $1
   AND ($2::timestamptz IS NULL
        OR (one.sealed_at, one.tenant_id, one.segment_id) > ($2, $3::text, $4::uuid))
 ORDER BY one.sealed_at, one.tenant_id, one.segment_id
 LIMIT $5

-- name: newest_segments
-- The same, the latest first.
SELECT one.*
  FROM segments AS segment
  JOIN segment_revisions AS one
    ON one.tenant_id = segment.tenant_id AND one.segment_id = segment.segment_id
   AND one.revision = segment.revision
 WHERE NOT segment.is_retracted AND one.sealed_at < $1
   AND ($2::timestamptz IS NULL
        OR (one.sealed_at, one.tenant_id, one.segment_id) < ($2, $3::text, $4::uuid))
 ORDER BY one.sealed_at DESC, one.tenant_id DESC, one.segment_id DESC
 LIMIT $5

-- name: count_segments
-- How many those are at all.
SELECT count(*)
  FROM segments AS segment
  JOIN segment_revisions AS one
    ON one.tenant_id = segment.tenant_id AND one.segment_id = segment.segment_id
   AND one.revision = segment.revision
 WHERE NOT segment.is_retracted AND one.sealed_at < $1

-- name: insert_run
-- A run that an analyzer is to take up.
INSERT INTO operations.backfill_runs (
    id, passes, since, until, tenant_id, channel, conversation_id, job_limit, is_newest_first,
    is_from_segments, rate, concurrency, budget_micro_usd, started_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id) DO NOTHING

-- name: runs
-- The runs, newest first: all, those that filter by one tenant, or one of them.
SELECT * FROM operations.backfill_runs
 WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR id = $2)
 ORDER BY created_at DESC, id LIMIT $3

-- name: run_ids_like
-- Runs whose ids begin so, for people who type the first letters.
SELECT id::text FROM operations.backfill_runs WHERE id::text LIKE $1 || '%' LIMIT 2

-- name: partitions
-- How far each partition of these runs is.
SELECT run_id::text, partition, begin_offset, end_offset, next_offset, is_done, lost_count, counts,
       (leased_until >= now()) IS TRUE AS is_held
  FROM operations.backfill_partitions WHERE run_id = ANY ($1::uuid[]) ORDER BY run_id, partition

-- name: job_states
-- How the jobs of these runs stand, by pass.
SELECT backfill_run_id::text AS run_id, pass_name, state, reason, count(*) AS jobs
  FROM operations.jobs WHERE backfill_run_id = ANY ($1::uuid[])
 GROUP BY backfill_run_id, pass_name, state, reason

-- name: spent
-- What was spent for these runs, with what is reserved for calls that are made just now.
SELECT backfill_run_id::text AS run_id, spent_micro_usd FROM operations.run_spend
 WHERE backfill_run_id = ANY ($1::uuid[])

-- name: change_state
-- Moves a run from one of some states into another, and gives it another budget ($6) if there is to
-- be one; no row, and nothing of both, where it is in none of them.
UPDATE operations.backfill_runs
   SET state = $2, reason = $3, changed_by = $4, changed_at = now(),
       budget_micro_usd = coalesce($6::bigint, budget_micro_usd)
 WHERE id = $1 AND state = ANY ($5::text[])
RETURNING state

-- name: passed_seals
-- Up to where two consumers of the seals topic have read its partitions.
SELECT consumer, partition, next_offset FROM fences
 WHERE topic = $1 AND consumer = ANY ($2::text[])

-- name: seconds_each
-- What verdicts of these passes took on average, of some of them.
SELECT name AS pass_name, average.seconds
  FROM unnest($1::text[]) AS name
 CROSS JOIN LATERAL (
         SELECT avg(extract(epoch FROM one.ended_at - one.started_at))::float8 AS seconds
           FROM (SELECT verdict.ended_at, verdict.started_at FROM verdicts AS verdict
                  WHERE verdict.pass_name = name LIMIT 1000) AS one
       ) AS average
 WHERE average.seconds IS NOT NULL
