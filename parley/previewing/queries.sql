-- What a preview reads; it writes nothing.

-- name: runs_again
-- By pass: the verdicts of segments ($1, $2, $3: tenant, id, revision) that would be others, what
-- they took, and how many segments ($5) there would be in place of those of each group ($4).
WITH changed AS (
    SELECT *
      FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::int[], $5::int[])
           AS one(tenant_id, segment_id, revision, group_number, segments_after)
), by_group AS (
    SELECT verdict.pass_name, verdict.pass_version, changed.group_number,
           max(changed.segments_after) AS runs, count(*) AS verdicts,
           sum(extract(epoch FROM verdict.ended_at - verdict.started_at)) AS seconds
      FROM changed
      JOIN verdicts AS verdict USING (tenant_id, segment_id, revision)
     GROUP BY verdict.pass_name, verdict.pass_version, changed.group_number
)
SELECT pass_name, pass_version, sum(runs)::bigint AS runs, sum(verdicts)::bigint AS verdicts,
       sum(seconds)::float8 AS seconds
  FROM by_group
 GROUP BY pass_name, pass_version
