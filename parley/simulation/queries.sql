-- What a simulation reads back from the tables.

-- name: progress
-- For each conversation: messages in current segments, jobs of those that have not ended (or
-- have not been made yet), and verdicts that are stored.
SELECT conversation.id AS conversation_id,
       coalesce(sum(segment.message_count), 0)::bigint AS sealed_messages,
       count(segment.segment_id) AS segments,
       count(*) FILTER (WHERE segment.segment_id IS NOT NULL AND work.jobs = 0) AS waiting_segments,
       coalesce(sum(work.unfinished), 0)::bigint AS unfinished_jobs,
       coalesce(sum(work.expected), 0)::bigint AS expected_verdicts,
       coalesce(sum(work.verdicts), 0)::bigint AS verdicts
  FROM unnest($2::text[]) AS conversation (id)
  LEFT JOIN segments AS segment
    ON segment.tenant_id = $1 AND segment.conversation_id = conversation.id
   AND NOT segment.is_retracted
  LEFT JOIN LATERAL (
       SELECT count(job.pass_name) AS jobs,
              count(*) FILTER (WHERE job.state IN ('open', 'claimed')) AS unfinished,
              count(*) FILTER (WHERE job.state = 'verdict') AS expected,
              count(verdict.pass_name) AS verdicts
         FROM operations.jobs AS job
         LEFT JOIN verdicts AS verdict USING (tenant_id, segment_id, revision, pass_name,
                                              pass_version)
        WHERE job.tenant_id = segment.tenant_id AND job.segment_id = segment.segment_id
          AND job.revision = segment.revision
       ) AS work ON true
 GROUP BY conversation.id

-- name: first_segment
-- The current segment of these conversations that was sealed first.
SELECT segment.tenant_id, segment.segment_id, segment.conversation_id, segment.revision,
       segment.cause, segment.started_at, segment.ended_at, segment.message_count
  FROM segments AS segment
  JOIN segment_revisions AS revision USING (tenant_id, segment_id, revision)
 WHERE segment.tenant_id = $1 AND segment.conversation_id = ANY($2) AND NOT segment.is_retracted
 ORDER BY revision.sealed_at, segment.segment_id
 LIMIT 1

-- name: segment_messages
-- What was said between two times of a conversation, in order.
SELECT role, content
  FROM conversation_messages
 WHERE tenant_id = $1 AND conversation_id = $2 AND event_time BETWEEN $3 AND $4
 ORDER BY event_time, id

-- name: segment_verdicts
-- The verdicts about one revision of a segment.
SELECT pass_name, pass_version, output
  FROM verdicts
 WHERE tenant_id = $1 AND segment_id = $2 AND revision = $3
 ORDER BY pass_name
