-- What the benchmark of the analyzer asks of its database.

-- name: job_count
-- Jobs that there are.
SELECT count(*) FROM operations.jobs

-- name: verdict_count
-- Jobs that ended with a verdict.
SELECT count(*) FROM operations.jobs WHERE state = 'verdict'

-- name: unpublished_count
-- Records that have still to be published.
SELECT count(*) FROM outbox WHERE published_at IS NULL

-- name: read_back
-- How much of the analyses topic two consumers have read, the one that has read less.
SELECT coalesce(min(passed), 0)::bigint
  FROM (SELECT sum(next_offset) AS passed FROM fences
         WHERE topic = $1 AND consumer IN ('analyzer-ends', 'analyzer-webhooks')
         GROUP BY consumer) AS read

-- name: suspend
-- Nobody claims jobs of this pass.
INSERT INTO operations.suspensions (fingerprint, pass_name, pass_version, reason)
VALUES ($1, $2, 1, 'benchmark')

-- name: enqueued
-- How many jobs a run has inserted.
SELECT enqueued_count FROM operations.backfill_runs WHERE id = $1

-- name: at_work_count
-- Jobs that a worker holds.
SELECT count(*) FROM operations.jobs WHERE state = 'claimed'
