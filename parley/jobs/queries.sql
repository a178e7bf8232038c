-- What operators do with analysis jobs. A job's key is (tenant, segment, revision, pass, version).

-- name: reopen
-- Has jobs begin anew, if they have ended without a verdict or wait for somebody. Each is of another
-- generation then: an end of the former one, read from the log again, ends it no more. Those of
-- a revision that is not the segment's latest are left: nobody wants their verdicts.
WITH wanted AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
    FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
           AS key (tenant_id, segment_id, revision, pass_name, pass_version)
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state IN ('failed', 'parked', 'cancelled')
     AND NOT EXISTS (
           SELECT FROM segments AS latest
            WHERE latest.tenant_id = job.tenant_id AND latest.segment_id = job.segment_id
              AND (latest.revision > job.revision OR latest.is_retracted))
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
)
UPDATE operations.jobs AS job
   SET state = 'open', reason = '', trigger = 'redrive', generation = job.generation + 1,
       failure_count = 0, released_count = job.attempt_count, due_at = now(), lease_token = NULL,
       estimated_micro_usd = NULL, raw_answer = NULL
  FROM wanted
 WHERE job.tenant_id = wanted.tenant_id AND job.segment_id = wanted.segment_id
   AND job.revision = wanted.revision AND job.pass_name = wanted.pass_name
   AND job.pass_version = wanted.pass_version
RETURNING job.*

-- name: cancel
-- Ends jobs that have no end. A worker that holds one finds its token gone.
WITH wanted AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
    FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
           AS key (tenant_id, segment_id, revision, pass_name, pass_version)
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state IN ('open', 'claimed', 'parked')
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
)
UPDATE operations.jobs AS job
   SET state = 'cancelled', reason = $6, lease_token = NULL, due_at = now()
  FROM wanted
 WHERE job.tenant_id = wanted.tenant_id AND job.segment_id = wanted.segment_id
   AND job.revision = wanted.revision AND job.pass_name = wanted.pass_name
   AND job.pass_version = wanted.pass_version
RETURNING job.*
