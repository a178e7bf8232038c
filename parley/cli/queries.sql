-- What the commands read; none of them writes.

-- name: fences
-- Where every consumer stands.
SELECT consumer, topic, partition, incarnation, next_offset, owner, stopped_reason,
       (held_until >= now()) IS TRUE AS is_held, last_append_time, updated_at,
       extract(epoch FROM now() - updated_at)::float8 AS seconds_since_move
  FROM fences
 ORDER BY consumer, topic, partition

-- name: outbox
-- What every consumer's relay has still to publish.
SELECT consumer, count(*) AS waiting,
       extract(epoch FROM now() - min(created_at))::float8 AS oldest_seconds
  FROM outbox
 WHERE published_at IS NULL
 GROUP BY consumer
 ORDER BY consumer

-- name: counts
-- How much there is of everything.
SELECT (SELECT count(*) FROM conversations) AS conversations,
       (SELECT count(*) FROM conversation_sessions) AS sessions,
       (SELECT count(*) FROM conversation_sessions WHERE is_active) AS active_sessions,
       (SELECT count(*) FROM conversation_messages) AS messages,
       (SELECT count(*) FROM segments WHERE NOT is_retracted) AS segments,
       (SELECT count(*) FROM verdicts) AS verdicts,
       (SELECT count(*) FROM dead_letters) AS dead_letters

-- name: jobs
-- Jobs by state.
SELECT state, count(*) AS jobs FROM operations.jobs GROUP BY state ORDER BY state

-- name: job_reasons
-- Jobs that wait for somebody, by state and reason.
SELECT state, reason, count(*) AS jobs FROM operations.jobs WHERE state IN ('parked', 'failed')
 GROUP BY state, reason ORDER BY jobs DESC LIMIT 10

-- name: active_passes
-- How many passes are in force.
SELECT count(*) FROM pass_activations WHERE is_enabled

-- name: backfills
-- Backfills that are not over, or stopped in the last day, and whether an analyzer is at one.
SELECT run.id::text AS run_id, run.state, run.reason,
       extract(epoch FROM now() - greatest(run.created_at, run.changed_at))::float8 AS seconds,
       run.enqueued_at IS NOT NULL
           OR run.prepared_at IS NOT NULL
              AND EXISTS (SELECT FROM operations.backfill_partitions AS part
                           WHERE part.run_id = run.id AND part.leased_until >= now()) AS is_read
  FROM operations.backfill_runs AS run
 WHERE run.state IN ('running', 'paused', 'cancelling')
    OR run.state = 'stopped' AND run.finished_at > now() - interval '1 day'
 ORDER BY run.created_at, run.id LIMIT 20

-- name: webhooks
-- Deliveries that wait, since when, and webhooks that their failures have disabled.
SELECT count(*) AS waiting,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_seconds,
       (SELECT count(*) FROM operations.webhook_states AS state
          JOIN webhooks AS webhook USING (tenant_id, webhook_id)
         WHERE state.disabled_at IS NOT NULL AND webhook.is_enabled AND NOT webhook.is_removed)
           AS disabled
  FROM operations.webhook_deliveries WHERE state IN ('open', 'claimed')

-- name: lock_holders
-- Sessions that others of this database wait for, and for how long.
SELECT holder.pid, holder.usename::text AS login, holder.application_name AS application,
       coalesce(holder.state, '') AS state, count(*) AS waiting,
       max(extract(epoch FROM clock_timestamp() - blocked.query_start))::float8 AS seconds
  FROM pg_stat_activity AS blocked
 CROSS JOIN LATERAL unnest(pg_blocking_pids(blocked.pid)) AS by_pid
  JOIN pg_stat_activity AS holder ON holder.pid = by_pid
 WHERE blocked.datname = current_database() AND blocked.wait_event_type = 'Lock'
 GROUP BY holder.pid, holder.usename, holder.application_name, holder.state
 ORDER BY seconds DESC LIMIT 5

-- name: dead_letters
-- Records that could not be used and about which nobody did anything, by service and reason.
SELECT service, reason, count(*) AS records, max(created_at) AS latest,
       count(*) FILTER (WHERE created_at > now() - interval '1 day') AS last_day
  FROM dead_letters
 WHERE redriven_at IS NULL AND discarded_at IS NULL
 GROUP BY service, reason
 ORDER BY records DESC

-- name: inbox
-- Messages that were written with SQL: those that wait, and those that were refused.
SELECT count(*) FILTER (WHERE refused_at IS NULL) AS waiting,
       coalesce(extract(epoch FROM now() - min(recorded_at) FILTER (WHERE refused_at IS NULL)), 0)
           ::float8 AS oldest_seconds,
       count(refused_at) AS refused, max(refused_reason) AS a_reason
  FROM operations.inbox
 WHERE published_at IS NULL

-- name: clock
-- The database's clock.
SELECT clock_timestamp()

-- name: ledger
-- What became of every record below each fence; they sum up to the fence's offset.
SELECT ledger.consumer, ledger.topic, ledger.partition,
       ledger.stored, ledger.duplicate, ledger.dead_lettered, ledger.not_for_table,
       fences.next_offset - ledger.stored - ledger.duplicate - ledger.dead_lettered
           - ledger.not_for_table AS residue
  FROM ledger
  JOIN fences USING (consumer, topic, incarnation, partition)
 ORDER BY ledger.consumer, ledger.topic, ledger.partition

-- name: conversation
-- A conversation's own facts.
SELECT tenant_id, conversation_id, user_id, channel, first_event_at, last_event_at
  FROM conversations
 WHERE tenant_id = $1 AND conversation_id = $2

-- name: similar_conversations
-- Ids that begin alike or hold the text, for somebody who mistyped one.
(SELECT conversation_id FROM conversations
  WHERE tenant_id = $1 AND starts_with(conversation_id, $2) LIMIT 1000)
UNION
(SELECT conversation_id FROM conversations
  WHERE tenant_id = $1 AND strpos(conversation_id, $3) > 0 LIMIT 10)

-- name: other_tenants
-- Tenants that have a conversation of this id.
SELECT tenant_id FROM conversations WHERE conversation_id = $1 ORDER BY tenant_id LIMIT 10

-- name: sessions
-- A conversation's sessions.
SELECT session_id, generation, user_id, channel, started_at, last_event_at, ended_at, end_reason,
       duration_seconds, message_count, is_active
  FROM conversation_sessions
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY started_at, session_id

-- name: messages
-- A conversation's latest messages; how many there are is in every row.
SELECT id, session_id, user_id, role, content, event_time, received_at, content_version, import_id,
       partition, log_offset, count(*) OVER () AS total_count
  FROM conversation_messages
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY event_time DESC, id DESC
 LIMIT $3

-- name: revisions
-- Every decision about a conversation's segments, and whether it is the current one.
SELECT revision.segment_id, revision.revision, revision.previous_revision, revision.cause,
       revision.started_at, revision.ended_at, revision.message_count, revision.sealed_at,
       revision.watermark, revision.decided_offset, revision.partition, revision.policy_id,
       revision.policy_version, revision.cut_event_time, revision.retracted, revision.channel,
       segment.revision = revision.revision AND NOT segment.is_retracted AS is_current,
       segment.is_retracted, segment.merged_into, standing.continues::text
  FROM segment_revisions AS revision
  JOIN segments AS segment USING (tenant_id, segment_id)
  LEFT JOIN (SELECT segment_id, revision, continues FROM current_segments
              WHERE tenant_id = $1 AND conversation_id = $2) AS standing
         ON standing.segment_id = revision.segment_id AND standing.revision = revision.revision
 WHERE revision.tenant_id = $1 AND revision.conversation_id = $2
 ORDER BY revision.sealed_at, revision.decided_offset

-- name: conversation_jobs
-- Passes over a conversation's segments, and how each stands.
SELECT job.segment_id, job.revision, job.pass_name, job.pass_version, job.fingerprint, job.state,
       job.reason, job.attempt_count, job.due_at, job.sealed_at, job.trigger
  FROM segments AS segment
  JOIN operations.jobs AS job USING (tenant_id, segment_id)
 WHERE segment.tenant_id = $1 AND segment.conversation_id = $2
 ORDER BY job.sealed_at, job.segment_id, job.revision, job.pass_name

-- name: verdicts
-- Results about a conversation's segments.
SELECT segment_id, revision, pass_name, pass_version, output, trigger, attempt_count, started_at,
       ended_at
  FROM verdicts
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY ended_at, segment_id, revision, pass_name

-- name: conversation_dead_letters
-- Records with a conversation's key that could not be used.
SELECT service, topic, partition, log_offset, reason, detail, created_at
  FROM dead_letters
 WHERE key = $1
 ORDER BY created_at

-- name: open_windows
-- Segments that are still open: all of them, those due, and those that an import holds.
SELECT count(*) AS open, count(*) FILTER (WHERE deadline <= now()) AS due,
       count(*) FILTER (WHERE deadline IS NULL) AS held_by_imports, min(deadline) AS next_deadline
  FROM sealer_windows

-- name: windows_by_partition
-- The same of each partition of the events topic.
SELECT partition, count(*) AS open, count(*) FILTER (WHERE deadline <= now()) AS due,
       min(deadline) AS next_deadline
  FROM sealer_windows GROUP BY partition

-- name: sealer_partitions
-- The sealer's time in each partition of the events topic, and its open segments there: those due,
-- and those that an import holds.
SELECT mark.partition, mark.watermark, mark.rule_version,
       extract(epoch FROM now() - mark.watermark)::float8 AS seconds_behind,
       jsonb_array_length(mark.imports) AS imports,
       coalesce(windows.open, 0) AS open, coalesce(windows.due, 0) AS due,
       coalesce(windows.held, 0) AS held
  FROM sealer_partitions AS mark
  LEFT JOIN (SELECT partition, count(*) AS open, count(*) FILTER (WHERE deadline <= now()) AS due,
                    count(*) FILTER (WHERE deadline IS NULL) AS held
               FROM sealer_windows GROUP BY partition) AS windows USING (partition)
 WHERE mark.topic = $1
 ORDER BY mark.partition

-- name: windows
-- A conversation's open segments, with the watermark at which each closes.
SELECT segment_id, revision, current_revision, first_time, last_time, deadline, message_count,
       (SELECT string_agg(DISTINCT split_part(name, E'\n', 1), ', ')
          FROM jsonb_array_elements_text(rest -> 'held_by') AS name) AS held_by
  FROM sealer_windows
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY first_time

-- name: open_sessions
-- A conversation's sessions that the sealer sees open, and the watermark at which each counts as
-- ended: half an hour after its last event came.
SELECT session_id, generation, last_event_time, last_arrival + interval '30 minutes' AS settles_at
  FROM sealer_sessions
 WHERE tenant_id = $1 AND conversation_id = $2 AND is_open
 ORDER BY session_id

-- name: acts
-- The latest of what happened in a conversation besides messages, and starts, refreshes and ends
-- of sessions; how much there is is in every row. As with messages its own time decides: after a
-- grow, places say nothing about order. Within a moment the log's order does.
SELECT *
  FROM (SELECT event_id, kind, event_time, append_time, is_granted, partition, log_offset, value,
               count(*) OVER () AS total_count
          FROM conversation_events
         WHERE tenant_id = $1 AND conversation_id = $2
           AND kind NOT IN (
               'message_recorded', 'session_started', 'session_refreshed', 'session_ended')
         ORDER BY event_time DESC, append_time DESC, log_offset DESC
         LIMIT $3) AS latest
 ORDER BY event_time, append_time, log_offset

-- name: cuts
-- Places that no segment of a conversation crosses.
SELECT event_time, event_id FROM sealer_cuts
 WHERE tenant_id = $1 AND conversation_id = $2
 ORDER BY event_time, event_id

-- name: ledger_between
-- The same of the records that the broker appended in the minutes from one moment to before
-- another, with the offset that the tables do not hold yet.
SELECT fences.consumer, fences.topic, fences.partition, fences.next_offset,
       coalesce(sum(m.stored), 0)::bigint AS stored,
       coalesce(sum(m.duplicate), 0)::bigint AS duplicate,
       coalesce(sum(m.dead_lettered), 0)::bigint AS dead_lettered,
       coalesce(sum(m.not_for_table), 0)::bigint AS not_for_table
  FROM ledger
  JOIN fences USING (consumer, topic, incarnation, partition)
  LEFT JOIN ledger_minutes AS m
    ON (m.consumer, m.topic, m.incarnation, m.partition)
       = (ledger.consumer, ledger.topic, ledger.incarnation, ledger.partition)
   AND m.began_at >= $1 AND m.began_at < $2
 GROUP BY fences.consumer, fences.topic, fences.partition, fences.next_offset
 ORDER BY fences.consumer, fences.topic, fences.partition

-- name: rules
-- By partition of a topic: the rule that counts, the rules that its worker knew at its last batch.
SELECT mark.partition, mark.rule_version, mark.known_rules, fences.owner, fences.stopped_reason,
       fences.next_offset
  FROM sealer_partitions AS mark
  JOIN fences USING (topic, partition)
 WHERE mark.topic = $1 AND fences.consumer = 'sealer'
 ORDER BY mark.partition
