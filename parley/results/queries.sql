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
