-- What an analyzer asks of backfills. Locks are taken in this order: the run, its partitions,
-- fences of the seals topic, jobs.

-- name: working_runs
-- Runs that are not over, the oldest first.
SELECT * FROM operations.backfill_runs
 WHERE state IN ('running', 'paused', 'cancelling')
 ORDER BY created_at, id LIMIT $1

-- name: count_seals_left
-- How many records are still to be passed, by runs that may go on.
SELECT coalesce(sum(CASE WHEN run.is_newest_first AND NOT run.is_from_segments
                         THEN part.next_offset - part.begin_offset
                         ELSE part.end_offset - part.next_offset END), 0)::bigint
  FROM operations.backfill_partitions AS part
  JOIN operations.backfill_runs AS run ON run.id = part.run_id
 WHERE run.state IN ('running', 'paused') AND NOT part.is_done

-- name: prepare_run
-- The run's ends are known now.
UPDATE operations.backfill_runs SET topic = $2, prepared_at = now()
 WHERE id = $1 AND prepared_at IS NULL
RETURNING id

-- name: insert_partitions
-- What there is to replay.
INSERT INTO operations.backfill_partitions (
    run_id, partition, incarnation, begin_offset, end_offset, next_offset, lost_count, is_done)
SELECT $1, part.partition, $2, part.begin_offset, part.end_offset, part.next_offset, part.lost_count,
       part.begin_offset = part.end_offset
  FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
       AS part (partition, begin_offset, end_offset, next_offset, lost_count)

-- name: lock_run
-- Nobody else inserts jobs of the run, or changes its state, until the end of the transaction.
SELECT state, job_limit, enqueued_count, concurrency, budget_micro_usd,
       greatest(0, extract(epoch FROM paced_until - now()))::float8 AS paced_s
  FROM operations.backfill_runs WHERE id = $1 FOR NO KEY UPDATE

-- name: claim_partitions
-- Partitions that nobody holds: at most so many of them.
WITH free AS (
  SELECT run_id, partition FROM operations.backfill_partitions
   WHERE run_id = $1 AND NOT is_done AND (leased_until IS NULL OR leased_until < now())
   ORDER BY partition LIMIT $2
     FOR UPDATE
)
UPDATE operations.backfill_partitions AS part SET owner = $3, leased_until = now() + $4::interval
  FROM free
 WHERE part.run_id = free.run_id AND part.partition = free.partition
RETURNING part.*

-- name: count_open_partitions
-- How many of a run's partitions are not at their end.
SELECT count(*) FROM operations.backfill_partitions WHERE run_id = $1 AND NOT is_done

-- name: extend_partitions
-- The holder of the token is alive.
UPDATE operations.backfill_partitions SET leased_until = now() + $3::interval
 WHERE run_id = $1 AND owner = $2

-- name: release_partitions
-- The holder of the token has no use for them any more.
UPDATE operations.backfill_partitions SET owner = NULL, leased_until = NULL
 WHERE run_id = $1 AND owner = $2

-- name: lock_fences
-- Until the end of the transaction the analyzer applies no seal of these partitions: what is
-- current now is still so when the jobs are there, and what comes later ends them.
SELECT partition, incarnation, next_offset FROM fences
 WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[])
 ORDER BY partition FOR UPDATE

-- name: read_fences
-- How far another consumer is.
SELECT partition, next_offset FROM fences
 WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[])

-- name: count_unfinished
-- How many of a run's jobs workers have still to do. What is parked waits for something else and
-- holds nobody up, and so does what is of a suspended pass; but for the run's own budget, since
-- all that comes after it would only be parked as well.
SELECT count(*) FROM operations.jobs AS job
 WHERE job.backfill_run_id = $1
   AND (job.state IN ('open', 'claimed')
        AND NOT EXISTS (SELECT FROM operations.suspensions AS one
                         WHERE one.fingerprint = job.fingerprint)
        OR job.state = 'parked' AND job.reason = 'budget_of_backfill')

-- name: advance_partition
-- The compare-and-set: touches a row only for its holder, at the offset that it believes in.
UPDATE operations.backfill_partitions
   SET next_offset = $5, cursor = $6, counts = $7, is_done = $8,
       leased_until = now() + $9::interval
 WHERE run_id = $1 AND partition = $2 AND owner = $3 AND next_offset = $4

-- name: give_up_below
-- The log begins later than what was to be read: of a partition, under its token.
UPDATE operations.backfill_partitions
   SET begin_offset = CASE WHEN $6 THEN $5 ELSE begin_offset END, next_offset = $7,
       lost_count = lost_count + $8, is_done = $9
 WHERE run_id = $1 AND partition = $2 AND owner = $3 AND next_offset = $4

-- name: note_enqueued
-- So many jobs more; with a rate the next ones come later.
UPDATE operations.backfill_runs
   SET enqueued_count = enqueued_count + $2,
       paced_until = CASE WHEN rate IS NULL THEN paced_until
                          ELSE greatest(paced_until, now()) + make_interval(secs => $2 / rate) END
 WHERE id = $1

-- name: finish_partitions
-- Nothing more is read of the partitions that its holder has: in one order these are all.
UPDATE operations.backfill_partitions SET is_done = true, owner = NULL, leased_until = NULL
 WHERE run_id = $1 AND owner = $2

-- name: note_all_enqueued
-- Everything was read.
UPDATE operations.backfill_runs AS run SET enqueued_at = now()
 WHERE id = $1 AND enqueued_at IS NULL AND prepared_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM operations.backfill_partitions AS part
                    WHERE part.run_id = run.id AND NOT part.is_done)

-- name: finish_run
-- Everything was read, and no job waits any more but for a person or a provider: money comes by
-- itself. How many wait is counted whenever it is asked, since it changes afterwards.
UPDATE operations.backfill_runs AS run SET state = 'finished', finished_at = now(), reason = ''
 WHERE id = $1 AND state = 'running' AND enqueued_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM operations.jobs AS job
                    WHERE job.backfill_run_id = run.id
                      AND (job.state IN ('open', 'claimed')
                           OR job.state = 'parked'
                              AND job.reason IN ('budget', 'budget_of_backfill')))
RETURNING (SELECT count(*) FROM operations.jobs AS job
            WHERE job.backfill_run_id = run.id AND job.state = 'parked') AS parked

-- name: stop_run
-- It cannot go on.
UPDATE operations.backfill_runs SET state = 'stopped', reason = $2, finished_at = now()
 WHERE id = $1 AND state IN ('running', 'paused')
RETURNING id

-- name: pause_spent_run
-- Its budget holds not even the next call, and nothing is at work that may cost less than reserved:
-- a person has to raise it.
UPDATE operations.backfill_runs AS run
   SET state = 'paused', reason = $2, changed_by = '', changed_at = now()
 WHERE id = $1 AND state = 'running'
   AND NOT EXISTS (SELECT FROM operations.jobs AS job
                    WHERE job.backfill_run_id = run.id AND job.state IN ('open', 'claimed'))
   AND run.budget_micro_usd - coalesce(
         (SELECT spent_micro_usd FROM operations.run_spend WHERE backfill_run_id = run.id), 0)
     < (SELECT min(job.estimated_micro_usd) FROM operations.jobs AS job
         WHERE job.backfill_run_id = run.id AND job.state = 'parked'
           AND job.reason = 'budget_of_backfill')
RETURNING id

-- name: hold_jobs
-- A paused run's jobs wait for ever: those that are at work land. The run is locked, so that none
-- is held once it is over.
WITH paused AS (
  SELECT id FROM operations.backfill_runs WHERE id = $1 AND state = 'paused' FOR NO KEY UPDATE
)
UPDATE operations.jobs AS job SET due_at = 'infinity'
  FROM paused
 WHERE job.backfill_run_id = paused.id AND job.state = 'open' AND job.due_at <> 'infinity'

-- name: free_jobs
-- It goes on, or is over.
UPDATE operations.jobs SET due_at = now()
 WHERE backfill_run_id = $1 AND state = 'open' AND due_at = 'infinity'

-- name: cancel_jobs
-- Ends jobs that nobody is at; those that somebody is at may still land.
WITH waiting AS (
  SELECT tenant_id, segment_id, revision, pass_name, pass_version FROM operations.jobs
   WHERE backfill_run_id = $1 AND state IN ('open', 'parked')
   ORDER BY tenant_id, segment_id, revision, pass_name, pass_version LIMIT $2
     FOR UPDATE SKIP LOCKED
)
UPDATE operations.jobs AS job
   SET state = 'cancelled', reason = $3, lease_token = NULL, due_at = now()
  FROM waiting
 WHERE job.tenant_id = waiting.tenant_id AND job.segment_id = waiting.segment_id
   AND job.revision = waiting.revision AND job.pass_name = waiting.pass_name
   AND job.pass_version = waiting.pass_version
RETURNING job.*

-- name: finish_cancelling
-- Nothing of the run is left.
UPDATE operations.backfill_runs AS run SET state = 'cancelled', finished_at = now()
 WHERE id = $1 AND state = 'cancelling'
   AND NOT EXISTS (SELECT FROM operations.jobs AS job
                    WHERE job.backfill_run_id = run.id
                      AND job.state IN ('open', 'claimed', 'parked'))
RETURNING id

-- name: reopen_jobs
-- Jobs that another backfill was cancelled over are this run's now: of another generation, so that
-- their former end, read from the log again, does not end them.
UPDATE operations.jobs AS job
   SET state = 'open', reason = '', trigger = 'backfill', lane = 1, backfill_run_id = $6,
       fingerprint = wanted.fingerprint, priority = wanted.priority, due_at = now(),
       failure_count = 0, released_count = job.attempt_count, generation = job.generation + 1
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $7::int[],
              $8::text[])
       AS wanted (tenant_id, segment_id, revision, pass_name, pass_version, priority, fingerprint)
 WHERE job.tenant_id = wanted.tenant_id AND job.segment_id = wanted.segment_id
   AND job.revision = wanted.revision AND job.pass_name = wanted.pass_name
   AND job.pass_version = wanted.pass_version AND job.state = 'cancelled'
RETURNING job.*

-- name: count_runs
-- Runs by state, as far as they are not over.
SELECT state, count(*) AS runs FROM operations.backfill_runs
 WHERE state IN ('running', 'paused', 'cancelling') GROUP BY state
