-- What calls cost: reserved before each, settled after it.
-- Whoever writes locks jobs before days, and days before runs.

-- name: hold_jobs
-- Which of these claims still hold their jobs, and go on to. Nobody takes one of them away before the
-- end of the transaction; a lease that is half over begins anew.
WITH wanted AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[])
             AS row (token, tenant_id, segment_id, revision, pass_name, pass_version)
), held AS (
  SELECT wanted.*, job.due_at
    FROM wanted
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE job.state = 'claimed' AND job.lease_token = wanted.token
   ORDER BY job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
     FOR UPDATE OF job
), extended AS (
  UPDATE operations.jobs AS job SET due_at = now() + $7::interval
    FROM held
   WHERE held.due_at < now() + $7::interval / 2
     AND job.tenant_id = held.tenant_id AND job.segment_id = held.segment_id
     AND job.revision = held.revision AND job.pass_name = held.pass_name
     AND job.pass_version = held.pass_version
)
SELECT token, tenant_id, segment_id, revision, pass_name, pass_version FROM held

-- name: reserve_day
-- Adds to what is spent of a pass, tenant and day, unless that is more than may be: $6 by both
-- lanes, $7 by backfills. No row comes back where it does not fit.
INSERT INTO operations.budget_days AS day (
    tenant_id, pass_name, utc_day, live_micro_usd, backfill_micro_usd)
SELECT $1, $2, $3, CASE $4::smallint WHEN 0 THEN $5::bigint ELSE 0 END,
       CASE $4::smallint WHEN 0 THEN 0 ELSE $5::bigint END
 WHERE $5::bigint <= $6::bigint AND ($4::smallint = 0 OR $5::bigint <= $7::bigint)
    ON CONFLICT (tenant_id, pass_name, utc_day) DO UPDATE
   SET live_micro_usd = day.live_micro_usd + excluded.live_micro_usd,
       backfill_micro_usd = day.backfill_micro_usd + excluded.backfill_micro_usd
 WHERE day.live_micro_usd + day.backfill_micro_usd + $5::bigint <= $6::bigint
   AND ($4::smallint = 0 OR day.backfill_micro_usd + $5::bigint <= $7::bigint)
RETURNING day.tenant_id

-- name: reserve_run
-- The same for a backfill, if it has a budget of its own.
INSERT INTO operations.run_spend AS run (backfill_run_id, spent_micro_usd)
SELECT $1, $2::bigint
 WHERE $2::bigint <= coalesce((SELECT budget_micro_usd FROM operations.backfill_runs WHERE id = $1),
                              $2::bigint)
    ON CONFLICT (backfill_run_id) DO UPDATE
   SET spent_micro_usd = run.spent_micro_usd + excluded.spent_micro_usd
 WHERE run.spent_micro_usd + $2::bigint <= coalesce(
         (SELECT budget_micro_usd FROM operations.backfill_runs WHERE id = $1),
         run.spent_micro_usd + $2::bigint)
RETURNING run.backfill_run_id

-- name: return_to_day
-- What was added to a day and is not spent after all.
UPDATE operations.budget_days
   SET live_micro_usd = live_micro_usd - CASE $4::smallint WHEN 0 THEN $5::bigint ELSE 0 END,
       backfill_micro_usd = backfill_micro_usd - CASE $4::smallint WHEN 0 THEN 0 ELSE $5::bigint END
 WHERE tenant_id = $1 AND pass_name = $2 AND utc_day = $3

-- name: insert_charges
-- The reservations themselves.
INSERT INTO operations.charges (
    reservation_id, tenant_id, conversation_id, segment_id, revision, pass_name, pass_version,
    utc_day, lane, backfill_run_id, estimated_micro_usd)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::text[],
                     $7::bigint[], $8::date[], $9::smallint[], $10::uuid[], $11::bigint[])

-- name: apply_charges
-- Charges that were settled, or that the topic tells of: each counts once, and once it is settled
-- with what it cost. The sums follow.
WITH told AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::text[],
                       $7::bigint[], $8::date[], $9::smallint[], $10::uuid[], $11::bigint[],
                       $12::bigint[])
             AS row (reservation_id, tenant_id, conversation_id, segment_id, revision, pass_name,
                     pass_version, utc_day, lane, backfill_run_id, estimated_micro_usd,
                     actual_micro_usd)
), before AS (
  SELECT charge.reservation_id,
         coalesce(charge.actual_micro_usd, charge.estimated_micro_usd) AS counted
    FROM operations.charges AS charge
    JOIN told USING (reservation_id)
   ORDER BY charge.reservation_id
     FOR UPDATE OF charge
), written AS (
  INSERT INTO operations.charges AS charge (
      reservation_id, tenant_id, conversation_id, segment_id, revision, pass_name, pass_version,
      utc_day, lane, backfill_run_id, estimated_micro_usd, actual_micro_usd)
  -- Counted first: what was before must be read before it is written over.
  SELECT * FROM told WHERE (SELECT count(*) FROM before) >= 0 ORDER BY reservation_id
      ON CONFLICT (reservation_id) DO UPDATE
     SET actual_micro_usd = excluded.actual_micro_usd
   WHERE charge.actual_micro_usd IS NULL AND excluded.actual_micro_usd IS NOT NULL
  RETURNING charge.*
), changed AS (
  SELECT written.tenant_id, written.pass_name, written.utc_day, written.lane,
         written.backfill_run_id,
         coalesce(written.actual_micro_usd, written.estimated_micro_usd)
           - coalesce(before.counted, 0) AS change
    FROM written LEFT JOIN before USING (reservation_id)
), days AS (
  INSERT INTO operations.budget_days AS day (
      tenant_id, pass_name, utc_day, live_micro_usd, backfill_micro_usd)
  SELECT tenant_id, pass_name, utc_day, coalesce(sum(change) FILTER (WHERE lane = 0), 0),
         coalesce(sum(change) FILTER (WHERE lane <> 0), 0)
    FROM changed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
      ON CONFLICT (tenant_id, pass_name, utc_day) DO UPDATE
     SET live_micro_usd = day.live_micro_usd + excluded.live_micro_usd,
         backfill_micro_usd = day.backfill_micro_usd + excluded.backfill_micro_usd
  RETURNING 1
)
INSERT INTO operations.run_spend AS run (backfill_run_id, spent_micro_usd)
-- Counted first: days are locked before runs, as reservations do. Nothing else would make
-- PostgreSQL write them before the end.
SELECT backfill_run_id, sum(change) FROM changed
 WHERE backfill_run_id IS NOT NULL AND (SELECT count(*) FROM days) >= 0 GROUP BY 1 ORDER BY 1
    ON CONFLICT (backfill_run_id) DO UPDATE
   SET spent_micro_usd = run.spent_micro_usd + excluded.spent_micro_usd

-- name: parked_by_budget
-- What waits for money, with what is spent on this day ($1) by each pass and tenant.
SELECT job.fingerprint, job.tenant_id, job.lane, job.reason, job.backfill_run_id,
       min(job.estimated_micro_usd) AS least_micro_usd,
       coalesce(min(day.live_micro_usd), 0) AS live_micro_usd,
       coalesce(min(day.backfill_micro_usd), 0) AS backfill_micro_usd,
       (SELECT run.budget_micro_usd - coalesce(spend.spent_micro_usd, 0)
          FROM operations.backfill_runs AS run
          LEFT JOIN operations.run_spend AS spend ON spend.backfill_run_id = run.id
         WHERE run.id = job.backfill_run_id) AS run_room_micro_usd
  FROM operations.jobs AS job
  LEFT JOIN operations.budget_days AS day
    ON day.tenant_id = job.tenant_id AND day.pass_name = job.pass_name AND day.utc_day = $1
 WHERE job.state = 'parked' AND job.reason IN ('budget', 'budget_of_backfill')
 GROUP BY job.fingerprint, job.tenant_id, job.lane, job.reason, job.backfill_run_id

-- name: reopen_by_budget
-- Lets as many of a group's jobs be claimed again as there is room for ($6), the first ones first.
-- One that does not fit at all waits without holding up those behind it.
WITH first AS (
  SELECT tenant_id, segment_id, revision, pass_name, pass_version,
         sum(estimated_micro_usd) OVER (
           ORDER BY priority DESC, due_at, segment_id ROWS UNBOUNDED PRECEDING) AS up_to
    FROM operations.jobs
   WHERE state = 'parked' AND reason = $1 AND fingerprint = $2 AND tenant_id = $3 AND lane = $4
     AND backfill_run_id IS NOT DISTINCT FROM $5::uuid AND estimated_micro_usd <= $6::bigint
), locked AS (
  SELECT job.tenant_id, job.segment_id, job.revision, job.pass_name, job.pass_version
    FROM first
    JOIN operations.jobs AS job USING (tenant_id, segment_id, revision, pass_name, pass_version)
   WHERE first.up_to <= $6::bigint AND job.state = 'parked'
     FOR UPDATE OF job SKIP LOCKED
)
UPDATE operations.jobs AS job SET state = 'open', reason = '', due_at = now()
  FROM locked
 WHERE job.tenant_id = locked.tenant_id AND job.segment_id = locked.segment_id
   AND job.revision = locked.revision AND job.pass_name = locked.pass_name
   AND job.pass_version = locked.pass_version

-- name: spend
-- What was spent by lane on a day, by all tenants.
SELECT pass_name, sum(live_micro_usd)::bigint AS live_micro_usd,
       sum(backfill_micro_usd)::bigint AS backfill_micro_usd
  FROM operations.budget_days WHERE utc_day = $1 GROUP BY pass_name
