-- What the commands about analysis jobs ask.

-- name: choose
-- Jobs by segments, states, pass, conversation, tenant and reason; NULL lets all pass. After a key,
-- in its order.
SELECT job.*, count(*) OVER () AS chosen_count
  FROM operations.jobs AS job
 WHERE ($1::uuid[] IS NULL OR job.segment_id = ANY($1)) AND job.state = ANY($2::text[])
   AND ($3::text IS NULL OR job.pass_name = $3)
   AND ($4::text IS NULL OR job.conversation_id = $4)
   AND ($5::text IS NULL OR job.tenant_id = $5)
   AND ($6::text IS NULL OR job.reason = $6)
   AND ($7::text IS NULL OR (job.tenant_id, job.segment_id, job.revision, job.pass_name,
                             job.pass_version)
                          > ($7, $8::uuid, $9::bigint, $10::text, $11::bigint))
 ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
 LIMIT $12

-- name: charges
-- What the calls of a segment's jobs were reserved for and cost.
SELECT revision, pass_name, pass_version, utc_day, estimated_micro_usd, actual_micro_usd,
       backfill_run_id
  FROM operations.charges
 WHERE segment_id = $1
 ORDER BY revision, pass_name, pass_version, utc_day, reservation_id
