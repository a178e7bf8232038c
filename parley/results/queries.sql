-- What people and programs read of verdicts. Every query names the tenant.

-- name: verdicts
-- Verdicts, the newest first. Parameters: tenant; conversation, segment, pass and version (null for
-- any); made at or after a moment (null for any); whether of segments as they stand, or of what stands
-- no more (null for both); the page's place (the last one's time and key, null for the first page);
-- and how many.
SELECT v.*, k.key, k.is_current,
       NOT EXISTS (SELECT FROM verdicts AS newer
                    WHERE newer.tenant_id = v.tenant_id AND newer.segment_id = v.segment_id
                      AND newer.revision = v.revision AND newer.pass_name = v.pass_name
                      AND newer.pass_version > v.pass_version) AS is_newest_version,
       s.channel, s.started_at AS segment_started_at, s.ended_at AS segment_ended_at
  FROM verdicts AS v
  LEFT JOIN segments AS s ON s.tenant_id = v.tenant_id AND s.segment_id = v.segment_id
 CROSS JOIN LATERAL (
         -- Of several that were made at one moment, some order that is always the same.
         SELECT md5(concat_ws('/', v.segment_id, v.revision, v.pass_name, v.pass_version)) AS key,
                coalesce(s.revision = v.revision AND NOT s.is_retracted, false) AS is_current
       ) AS k
 WHERE v.tenant_id = $1
   AND ($2::text IS NULL OR v.conversation_id = $2)
   AND ($3::uuid IS NULL OR v.segment_id = $3)
   AND ($4::text IS NULL OR v.pass_name = $4)
   AND ($5::bigint IS NULL OR v.pass_version = $5)
   AND ($6::timestamptz IS NULL OR v.ended_at >= $6)
   AND ($7::boolean IS NULL OR k.is_current = $7)
   AND ($8::timestamptz IS NULL OR (v.ended_at, k.key) < ($8, $9::text))
 ORDER BY v.ended_at DESC, k.key DESC
 LIMIT $10

-- name: segment
-- A segment as it stands, with the one before it in the talk and the ones that it swallowed.
SELECT s.segment_id, s.conversation_id, s.revision, s.is_retracted, s.merged_into, s.started_at,
       s.ended_at, s.message_count, s.cause, s.channel,
       (SELECT c.continues FROM current_segments AS c
         WHERE c.tenant_id = s.tenant_id AND c.conversation_id = s.conversation_id
           AND c.segment_id = s.segment_id) AS continues,
       ARRAY (SELECT one.segment_id FROM segments AS one
               WHERE one.tenant_id = s.tenant_id AND one.conversation_id = s.conversation_id
                 AND one.merged_into = s.segment_id
               ORDER BY one.segment_id LIMIT 1000) AS absorbed
  FROM segments AS s
 WHERE s.tenant_id = $1 AND s.segment_id = $2

-- name: revisions
-- What was decided about a segment, the latest first.
SELECT revision, previous_revision, cause, started_at, ended_at, message_count, participants,
       policy_id, policy_version, rule_version, sealed_at,
       ARRAY (SELECT one ->> 'segment_id' FROM jsonb_array_elements(retracted) AS one) AS absorbed
  FROM segment_revisions
 WHERE tenant_id = $1 AND segment_id = $2
 ORDER BY revision DESC LIMIT $3

-- name: coverage
-- By pass in force and UTC day of the segments' ends: how many segments that stand it is for, and
-- where each of them stands. $1 is JSON: the passes of each tenant, with what they are for.
SELECT pass.pass_name, pass.pass_version, (segment.ended_at AT TIME ZONE 'UTC')::date AS day,
       count(*) AS segments,
       count(*) FILTER (WHERE found.state = 'current') AS current,
       count(*) FILTER (WHERE found.state = 'missing') AS missing,
       count(*) FILTER (WHERE found.state = 'stale') AS stale,
       count(*) FILTER (WHERE found.state = 'parked') AS parked,
       count(*) FILTER (WHERE found.state = 'failed') AS failed
  FROM jsonb_to_recordset($1::jsonb)
       AS pass (tenant_id text, pass_name text, pass_version bigint, fingerprint text,
                channels text[], min_messages int, sample text)
  JOIN segments AS segment
    ON segment.tenant_id = pass.tenant_id AND NOT segment.is_retracted
   AND segment.message_count >= pass.min_messages
   AND (pass.channels IS NULL OR segment.channel = ANY (pass.channels))
   AND (pass.sample IS NULL
        OR substr(sha256(convert_to(pass.pass_name || ':' || segment.segment_id, 'UTF8')), 1, 8)
             < decode(pass.sample, 'hex'))
  LEFT JOIN verdicts AS verdict
    ON verdict.tenant_id = segment.tenant_id AND verdict.segment_id = segment.segment_id
   AND verdict.revision = segment.revision AND verdict.pass_name = pass.pass_name
   AND verdict.pass_version = pass.pass_version AND verdict.fingerprint = pass.fingerprint
  LEFT JOIN operations.jobs AS job
    ON job.tenant_id = segment.tenant_id AND job.segment_id = segment.segment_id
   AND job.revision = segment.revision AND job.pass_name = pass.pass_name
   AND job.pass_version = pass.pass_version
 CROSS JOIN LATERAL (
         SELECT CASE WHEN verdict.segment_id IS NOT NULL THEN 'current'
                     WHEN job.state IN ('failed', 'parked') THEN job.state
                     WHEN EXISTS (SELECT FROM verdicts AS older
                                   WHERE older.tenant_id = segment.tenant_id
                                     AND older.segment_id = segment.segment_id
                                     AND older.pass_name = pass.pass_name) THEN 'stale'
                     ELSE 'missing' END AS state
       ) AS found
 WHERE segment.ended_at >= $2 AND segment.ended_at < $3
   AND ($4::text IS NULL OR pass.pass_name = $4)
 GROUP BY pass.pass_name, pass.pass_version, day
 ORDER BY pass.pass_name, pass.pass_version, day DESC

-- name: standing_segments
-- Segments as they stand, the latest first: of a tenant, and of a conversation or (null) of all.
SELECT tenant_id, segment_id, conversation_id, revision, channel, message_count, started_at,
       ended_at
  FROM segments
 WHERE tenant_id = $1 AND NOT is_retracted
   AND ($2::text IS NULL OR conversation_id = $2)
   AND ($3::timestamptz IS NULL OR ended_at >= $3)
   AND ($4::timestamptz IS NULL OR (ended_at, segment_id) < ($4, $5::uuid))
 ORDER BY ended_at DESC, segment_id DESC LIMIT $6

-- name: verdicts_of
-- Which verdicts there are of some segments, of whatever revision.
SELECT segment_id, revision, pass_name, pass_version, fingerprint FROM verdicts
 WHERE tenant_id = $1 AND segment_id = ANY ($2::uuid[])

-- name: jobs_of
-- The jobs of some segments, of whatever revision.
SELECT segment_id, revision, pass_name, pass_version, fingerprint, state, reason, attempt_count,
       due_at
  FROM operations.jobs
 WHERE tenant_id = $1 AND segment_id = ANY ($2::uuid[])

-- name: tenants
-- Whose segments there are.
SELECT DISTINCT tenant_id FROM segments ORDER BY tenant_id

-- name: totals
-- How much there is of a tenant, or of one of its conversations (null for all of them), from a
-- moment on (null for all).
SELECT (SELECT count(*) FROM conversations
         WHERE tenant_id = $1 AND ($2::text IS NULL OR conversation_id = $2)
           AND ($3::timestamptz IS NULL OR last_event_at >= $3)) AS conversations,
       (SELECT count(*) FROM conversation_messages
         WHERE tenant_id = $1 AND ($2::text IS NULL OR conversation_id = $2)
           AND ($3::timestamptz IS NULL OR event_time >= $3)) AS messages,
       (SELECT count(*) FROM conversation_sessions
         WHERE tenant_id = $1 AND ($2::text IS NULL OR conversation_id = $2)
           AND ($3::timestamptz IS NULL OR last_event_at >= $3)) AS sessions,
       (SELECT count(*) FROM segments
         WHERE tenant_id = $1 AND ($2::text IS NULL OR conversation_id = $2)
           AND NOT is_retracted AND ($3::timestamptz IS NULL OR ended_at >= $3)) AS segments

-- name: pass_totals
-- The same of verdicts by pass and version: all that were made, and those that count.
SELECT verdict.pass_name, verdict.pass_version, count(*) AS verdicts,
       count(*) FILTER (WHERE segment.revision = verdict.revision AND NOT segment.is_retracted)
           AS current,
       sum(verdict.input_tokens)::bigint AS input_tokens,
       sum(verdict.output_tokens)::bigint AS output_tokens,
       sum(verdict.cost_micro_usd)::bigint AS cost_micro_usd,
       max(verdict.ended_at) AS latest_at
  FROM verdicts AS verdict
  LEFT JOIN segments AS segment
    ON segment.tenant_id = verdict.tenant_id AND segment.segment_id = verdict.segment_id
 WHERE verdict.tenant_id = $1
   AND ($2::text IS NULL OR verdict.conversation_id = $2)
   AND ($3::timestamptz IS NULL OR verdict.ended_at >= $3)
 GROUP BY verdict.pass_name, verdict.pass_version
 ORDER BY verdict.pass_name, verdict.pass_version
