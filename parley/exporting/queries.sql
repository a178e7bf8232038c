-- What each kind of export holds. Parameters: tenant; since and until (talk at or after the one and
-- before the other, null for no bound); channel and conversation (null for all); of verdicts also
-- whether only current ones.

-- name: messages
-- Every message as it stands now: what was last said of it. `occurred_at` is the event time.
SELECT message.tenant_id, message.conversation_id, message.id::text AS message_id,
       message.session_id, message.role, message.content, message.event_time AS occurred_at,
       message.user_id, coalesce(session.channel, conversation.channel) AS channel,
       message.audio_url, message.language, message.metadata::text AS metadata,
       message.sender, message.utterance_id, message.occurred_at AS client_clock,
       message.received_at, message.content_version IS NOT NULL AS is_revised, message.import_id
  FROM conversation_messages AS message
  LEFT JOIN conversation_sessions AS session
    ON session.tenant_id = message.tenant_id AND session.session_id = message.session_id
   AND session.conversation_id = message.conversation_id
  LEFT JOIN conversations AS conversation
    ON conversation.tenant_id = message.tenant_id
   AND conversation.conversation_id = message.conversation_id
 WHERE message.tenant_id = $1
   AND ($2::timestamptz IS NULL OR message.event_time >= $2)
   AND ($3::timestamptz IS NULL OR message.event_time < $3)
   AND ($4::text IS NULL OR coalesce(session.channel, conversation.channel) = $4)
   AND ($5::text IS NULL OR message.conversation_id = $5)
 ORDER BY message.conversation_id, message.event_time, message.id

-- name: conversations
-- Every conversation.
SELECT tenant_id, conversation_id, user_id, channel, title, personality, state, first_event_at,
       last_event_at, metadata::text AS metadata
  FROM conversations
 WHERE tenant_id = $1
   AND ($2::timestamptz IS NULL OR last_event_at >= $2)
   AND ($3::timestamptz IS NULL OR first_event_at < $3)
   AND ($4::text IS NULL OR channel = $4)
   AND ($5::text IS NULL OR conversation_id = $5)
 ORDER BY conversation_id

-- name: sessions
-- Every session; one that was only named by messages has no start.
SELECT tenant_id, session_id, conversation_id, user_id, channel, started_at, ended_at, end_reason,
       duration_seconds, message_count, is_active, last_event_at, client_ip, user_agent,
       metadata::text AS metadata
  FROM conversation_sessions
 WHERE tenant_id = $1
   AND ($2::timestamptz IS NULL OR last_event_at >= $2)
   AND ($3::timestamptz IS NULL OR coalesce(started_at, last_event_at) < $3)
   AND ($4::text IS NULL OR channel = $4)
   AND ($5::text IS NULL OR conversation_id = $5)
 ORDER BY session_id, conversation_id

-- name: segments
-- Every segment that stands, in its last revision.
SELECT segment.tenant_id, segment.segment_id::text AS segment_id, segment.revision,
       segment.conversation_id, segment.channel, segment.started_at, segment.ended_at,
       segment.message_count, segment.cause, revision.participants, revision.user_ids,
       revision.policy_id, revision.policy_version, revision.sealed_at
  FROM segments AS segment
  JOIN segment_revisions AS revision
    ON revision.tenant_id = segment.tenant_id AND revision.segment_id = segment.segment_id
   AND revision.revision = segment.revision
 WHERE segment.tenant_id = $1 AND NOT segment.is_retracted
   AND ($2::timestamptz IS NULL OR segment.ended_at >= $2)
   AND ($3::timestamptz IS NULL OR segment.started_at < $3)
   AND ($4::text IS NULL OR segment.channel = $4)
   AND ($5::text IS NULL OR segment.conversation_id = $5)
 ORDER BY segment.segment_id

-- name: verdicts
-- Every verdict; one of a former revision, or of a segment that was retracted, is not current.
SELECT verdict.tenant_id, verdict.segment_id::text AS segment_id, verdict.revision,
       coalesce(segment.revision = verdict.revision AND NOT segment.is_retracted, false)
           AS is_current,
       verdict.pass_name, verdict.pass_version, verdict.conversation_id, revision.channel,
       revision.started_at AS segment_started_at, revision.ended_at AS segment_ended_at,
       verdict.output::text AS output, verdict.output_schema_version, verdict.fingerprint,
       encode(verdict.member_digest, 'hex') AS member_digest,
       encode(verdict.content_digest, 'hex') AS content_digest,
       verdict.trigger, verdict.backfill_run_id::text AS backfill_run_id, verdict.attempt_count,
       verdict.started_at, verdict.ended_at, verdict.worker_id, verdict.model,
       encode(verdict.prompt_digest, 'hex') AS prompt_digest, verdict.input_tokens,
       verdict.output_tokens, verdict.cost_micro_usd,
       (extract(epoch FROM verdict.latency) * 1000000)::bigint AS latency_microseconds,
       verdict.is_from_memo
  FROM verdicts AS verdict
  LEFT JOIN segments AS segment
    ON segment.tenant_id = verdict.tenant_id AND segment.segment_id = verdict.segment_id
  LEFT JOIN segment_revisions AS revision
    ON revision.tenant_id = verdict.tenant_id AND revision.segment_id = verdict.segment_id
   AND revision.revision = verdict.revision
 WHERE verdict.tenant_id = $1
   AND ($2::timestamptz IS NULL OR revision.ended_at >= $2)
   AND ($3::timestamptz IS NULL OR revision.started_at < $3)
   AND ($4::text IS NULL OR revision.channel = $4)
   AND ($5::text IS NULL OR verdict.conversation_id = $5)
   AND (NOT $6::boolean OR (segment.revision = verdict.revision AND NOT segment.is_retracted))
 ORDER BY verdict.segment_id, verdict.revision, verdict.pass_name, verdict.pass_version
