-- What the persister writes. Rows that may meet others of their key arrive in temporary tables,
-- emptied at every commit; each is merged into its table by one statement, sorted by key, so that
-- two transactions take their row locks in the same order. Where the same rows may be copied
-- straight into their table, their tenants are sorted as Python does.

-- name: create_event_tables
-- Where a batch of events waits to be merged.
CREATE TEMP TABLE IF NOT EXISTS incoming_events (
    tenant_id text, event_id uuid, conversation_id text, kind text,
    incarnation text, partition int, log_offset bigint, append_time timestamptz,
    event_time timestamptz, value bytea
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS incoming_conversations (
    tenant_id text, conversation_id text,
    first_event_at timestamptz, last_event_at timestamptz,
    user_version text, user_id text, channel_version text, channel text,
    title_version text, title text, personality_version text, personality text,
    metadata_version text, metadata_text text
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS incoming_messages (
    tenant_id text, id uuid, conversation_id text, session_id text, is_user_inherited boolean
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS incoming_message_rows (
    tenant_id text, id uuid, conversation_id text, session_id text, user_id text,
    is_user_inherited boolean, sender text, role text, content text, audio_url text,
    metadata jsonb, metadata_text text, language text, utterance_id text,
    occurred_at timestamptz, event_time timestamptz, received_at timestamptz,
    import_id text, incarnation text, partition int, log_offset bigint
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS incoming_versions (
    tenant_id text, message_id uuid, version_id uuid, conversation_id text, kind text,
    event_time timestamptz, content text, audio_url text, metadata_text text,
    incarnation text, partition int, log_offset bigint
) ON COMMIT DELETE ROWS

-- name: create_session_table
-- Where sessions wait to be merged, whether events or seals speak of them.
CREATE TEMP TABLE IF NOT EXISTS incoming_sessions (
    tenant_id text, session_id text, conversation_id text,
    generation bigint, started_at timestamptz, last_event_at timestamptz,
    user_version text, user_id text, channel_version text, channel text,
    connection_version text, client_ip text, user_agent text,
    status_version text, ended_at timestamptz, end_reason text,
    metadata_version text, metadata_text text
) ON COMMIT DELETE ROWS

-- name: create_segment_tables
-- Where a batch of seals waits to be merged.
CREATE TEMP TABLE IF NOT EXISTS incoming_revisions (
    tenant_id text, segment_id uuid, revision bigint, previous_revision bigint,
    conversation_id text, cause text, started_at timestamptz, ended_at timestamptz,
    first_event_id uuid, last_event_id uuid, message_count int, member_digest bytea,
    first_offset bigint, last_offset bigint, incarnation text, partition int,
    decided_offset bigint, watermark timestamptz, policy_id text, policy_version bigint,
    idle_gap interval, rule_version int, opening_event_id uuid, channel text,
    participants text[], user_ids text[],
    cut_event_time timestamptz, cut_event_id uuid, retracted jsonb, sealed_at timestamptz
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS incoming_segments (
    tenant_id text, segment_id uuid, conversation_id text, revision bigint,
    is_retracted boolean, merged_into uuid, started_at timestamptz, ended_at timestamptz,
    message_count int, cause text, channel text
) ON COMMIT DELETE ROWS

-- name: create_verdict_table
-- Where a batch of verdicts waits to be merged.
CREATE TEMP TABLE IF NOT EXISTS incoming_verdicts (
    tenant_id text, segment_id uuid, revision bigint, pass_name text, pass_version bigint,
    conversation_id text, fingerprint text, member_digest bytea, content_digest bytea,
    output_schema_version int, output jsonb, trigger text, attempt_count int,
    started_at timestamptz, ended_at timestamptz, worker_id text, backfill_run_id uuid,
    model text, prompt_digest bytea, input_tokens bigint, output_tokens bigint,
    cost_micro_usd bigint, latency interval, is_from_memo boolean
) ON COMMIT DELETE ROWS

-- name: empty_event_tables
-- A batch that is written in parts finds them empty each time.
DELETE FROM incoming_events;
DELETE FROM incoming_conversations;
DELETE FROM incoming_messages;
DELETE FROM incoming_message_rows;
DELETE FROM incoming_versions

-- name: empty_session_table
-- The same for sessions.
DELETE FROM incoming_sessions

-- name: empty_segment_tables
-- The same for seals.
DELETE FROM incoming_revisions;
DELETE FROM incoming_segments

-- name: empty_verdict_table
-- The same for verdicts.
DELETE FROM incoming_verdicts

-- name: insert_events
-- New events; where it inserts fewer than there are, the next query tells which were known.
INSERT INTO conversation_events (
    tenant_id, event_id, conversation_id, kind,
    incarnation, partition, log_offset, append_time, event_time, value)
SELECT tenant_id, event_id, conversation_id, kind,
       incarnation, partition, log_offset, append_time, event_time, value
  FROM incoming_events
 ORDER BY tenant_id COLLATE "C", event_id
ON CONFLICT (tenant_id, event_id) DO NOTHING

-- name: known_events
-- What was stored under these ids before, from another place: in a statement of its own, since
-- another partition's transaction may have committed it while the insertion waited for it.
SELECT tenant_id, event_id::text, e.conversation_id, e.value
  FROM incoming_events i
  JOIN conversation_events e USING (tenant_id, event_id)
 WHERE (e.incarnation, e.partition, e.log_offset) <> (i.incarnation, i.partition, i.log_offset)

-- name: merge_conversations
-- A fact is replaced by one of a greater version; times widen.
INSERT INTO conversations AS c (
    tenant_id, conversation_id, first_event_at, last_event_at,
    user_version, user_id, channel_version, channel, title_version, title,
    personality_version, personality, metadata_version, metadata)
SELECT tenant_id, conversation_id, first_event_at, last_event_at,
       user_version, user_id, channel_version, channel, title_version, title,
       personality_version, personality, metadata_version, metadata_text::jsonb
  FROM incoming_conversations
 ORDER BY tenant_id, conversation_id
ON CONFLICT (tenant_id, conversation_id) DO UPDATE SET
    first_event_at = least(c.first_event_at, excluded.first_event_at),
    last_event_at = greatest(c.last_event_at, excluded.last_event_at),
    user_version = greatest(c.user_version, excluded.user_version),
    user_id = CASE WHEN excluded.user_version > c.user_version
              THEN excluded.user_id ELSE c.user_id END,
    channel_version = greatest(c.channel_version, excluded.channel_version),
    channel = CASE WHEN excluded.channel_version > c.channel_version
              THEN excluded.channel ELSE c.channel END,
    title_version = greatest(c.title_version, excluded.title_version),
    title = CASE WHEN excluded.title_version > c.title_version
            THEN excluded.title ELSE c.title END,
    personality_version = greatest(c.personality_version, excluded.personality_version),
    personality = CASE WHEN excluded.personality_version > c.personality_version
                  THEN excluded.personality ELSE c.personality END,
    metadata_version = greatest(c.metadata_version, excluded.metadata_version),
    metadata = CASE WHEN excluded.metadata_version > c.metadata_version
               THEN excluded.metadata ELSE c.metadata END

-- name: merge_sessions
-- The same for sessions; the status, with its end, is one of the facts.
INSERT INTO conversation_sessions AS s (
    tenant_id, session_id, conversation_id, generation,
    started_at, last_event_at, user_version, user_id, channel_version, channel,
    connection_version, client_ip, user_agent, status_version, ended_at, end_reason,
    metadata_version, metadata)
SELECT tenant_id, session_id, conversation_id, generation,
       started_at, last_event_at, user_version, user_id, channel_version, channel,
       connection_version, client_ip, user_agent, status_version, ended_at, end_reason,
       metadata_version, metadata_text::jsonb
  FROM incoming_sessions
 ORDER BY tenant_id, session_id, conversation_id
ON CONFLICT (tenant_id, session_id, conversation_id) DO UPDATE SET
    generation = greatest(s.generation, excluded.generation),
    started_at = least(s.started_at, excluded.started_at),
    last_event_at = greatest(s.last_event_at, excluded.last_event_at),
    user_version = greatest(s.user_version, excluded.user_version),
    user_id = CASE WHEN excluded.user_version > s.user_version
              THEN excluded.user_id ELSE s.user_id END,
    channel_version = greatest(s.channel_version, excluded.channel_version),
    channel = CASE WHEN excluded.channel_version > s.channel_version
              THEN excluded.channel ELSE s.channel END,
    connection_version = greatest(s.connection_version, excluded.connection_version),
    client_ip = CASE WHEN excluded.connection_version > s.connection_version
                THEN excluded.client_ip ELSE s.client_ip END,
    user_agent = CASE WHEN excluded.connection_version > s.connection_version
                 THEN excluded.user_agent ELSE s.user_agent END,
    status_version = greatest(s.status_version, excluded.status_version),
    ended_at = CASE WHEN excluded.status_version > s.status_version
               THEN excluded.ended_at ELSE s.ended_at END,
    end_reason = CASE WHEN excluded.status_version > s.status_version
                 THEN excluded.end_reason ELSE s.end_reason END,
    metadata_version = greatest(s.metadata_version, excluded.metadata_version),
    metadata = CASE WHEN excluded.metadata_version > s.metadata_version
               THEN excluded.metadata ELSE s.metadata END

-- name: insert_messages
-- Messages where COPY is not allowed, or would meet one that is there.
INSERT INTO conversation_messages (
    tenant_id, id, conversation_id, session_id, user_id, is_user_inherited, sender, role,
    content, audio_url, metadata, metadata_text, language, utterance_id,
    occurred_at, event_time, received_at, import_id, incarnation, partition, log_offset)
SELECT tenant_id, id, conversation_id, session_id, user_id, is_user_inherited, sender, role,
       content, audio_url, metadata, metadata_text, language, utterance_id,
       occurred_at, event_time, received_at, import_id, incarnation, partition, log_offset
  FROM incoming_message_rows
 ORDER BY tenant_id, id
ON CONFLICT (tenant_id, id) DO NOTHING

-- name: count_session_messages
-- Counted from the rows, never by adding: the same again gives the same.
-- Materialized, or each count would be made twice.
WITH counted AS MATERIALIZED (
    SELECT named.tenant_id, named.session_id, named.conversation_id,
           (SELECT count(*) FROM conversation_messages m
             WHERE m.tenant_id = named.tenant_id AND m.session_id = named.session_id
               AND m.conversation_id = named.conversation_id
           ) AS message_count
      FROM (SELECT DISTINCT tenant_id, session_id, conversation_id FROM incoming_messages
             WHERE session_id IS NOT NULL) AS named
)
UPDATE conversation_sessions s
   SET message_count = counted.message_count
  FROM counted
 WHERE s.tenant_id = counted.tenant_id AND s.session_id = counted.session_id
   AND s.conversation_id = counted.conversation_id
   AND s.message_count <> counted.message_count

-- name: has_session_index
-- Whether sessions can be counted: without it each count would read all messages.
SELECT to_regclass('ix_conversation_messages_session') IS NOT NULL

-- name: inherit_users
-- A message that names no user shows its session's: those of this batch, and earlier ones where
-- it was this batch that told whose the session is. A session is looked up by its whole key, each
-- for itself: joined, the server may read all that a tenant has for each message.
WITH told AS MATERIALIZED (
    SELECT i.tenant_id, i.session_id, i.conversation_id, s.user_id,
           i.user_version = s.user_version AS is_news
      FROM incoming_sessions i
     CROSS JOIN LATERAL (
       SELECT s.user_id, s.user_version FROM conversation_sessions s
        WHERE s.tenant_id = i.tenant_id AND s.session_id = i.session_id
          AND s.conversation_id = i.conversation_id
        LIMIT 1) AS s
     WHERE s.user_version > ''
), nameless AS MATERIALIZED (
    SELECT i.tenant_id, i.id, t.user_id
      FROM incoming_messages i
      JOIN told t USING (tenant_id, session_id, conversation_id)
     WHERE i.is_user_inherited
     UNION
    SELECT m.tenant_id, m.id, t.user_id
      FROM told t
      JOIN conversation_messages m USING (tenant_id, session_id, conversation_id)
     WHERE t.is_news AND m.is_user_inherited
)
UPDATE conversation_messages m
   SET user_id = n.user_id
  FROM nameless n
 WHERE m.tenant_id = n.tenant_id AND m.id = n.id AND m.user_id IS DISTINCT FROM n.user_id

-- name: insert_versions
-- Revisions, whether or not their message is there yet.
INSERT INTO message_versions (
    tenant_id, message_id, version_id, conversation_id, kind, event_time,
    content, audio_url, metadata_text, incarnation, partition, log_offset)
SELECT tenant_id, message_id, version_id, conversation_id, kind, event_time,
       content, audio_url, metadata_text, incarnation, partition, log_offset
  FROM incoming_versions
 ORDER BY tenant_id, message_id, version_id
ON CONFLICT (tenant_id, message_id, version_id) DO NOTHING

-- name: keep_originals
-- What was recorded stays readable as the version with the message's own id. A new message may
-- have been revised before it was read.
INSERT INTO message_versions (
    tenant_id, message_id, version_id, conversation_id, kind, event_time,
    content, audio_url, metadata_text, incarnation, partition, log_offset)
SELECT m.tenant_id, m.id, m.id, m.conversation_id, 'recorded', m.event_time,
       m.content, m.audio_url, m.metadata_text, m.incarnation, m.partition, m.log_offset
  FROM (SELECT tenant_id, message_id AS id FROM incoming_versions
         UNION
        SELECT tenant_id, id FROM incoming_messages) AS touched
  JOIN conversation_messages m USING (tenant_id, id)
 WHERE m.content_version IS NULL
   AND EXISTS (SELECT FROM message_versions v
                WHERE v.tenant_id = m.tenant_id AND v.message_id = m.id
                  AND v.conversation_id = m.conversation_id)
 ORDER BY m.tenant_id, m.id
ON CONFLICT (tenant_id, message_id, version_id) DO NOTHING

-- name: show_revisions
-- The greatest (event time, event id) among a message's revisions is what it says now; any
-- revision outranks what was recorded.
UPDATE conversation_messages m
   SET content = w.content, audio_url = w.audio_url, metadata_text = w.metadata_text,
       metadata = nullif(w.metadata_text, '')::jsonb, content_version = w.version_id
  FROM (SELECT DISTINCT ON (v.tenant_id, v.message_id, v.conversation_id) v.*
          FROM (SELECT tenant_id, message_id FROM incoming_versions
                 UNION
                SELECT tenant_id, id FROM incoming_messages) AS touched
          JOIN message_versions v USING (tenant_id, message_id)
         WHERE v.kind <> 'recorded'
         ORDER BY v.tenant_id, v.message_id, v.conversation_id,
                  v.event_time DESC, v.version_id DESC
       ) AS w
 WHERE m.tenant_id = w.tenant_id AND m.id = w.message_id
   AND m.conversation_id = w.conversation_id
   AND m.content_version IS DISTINCT FROM w.version_id

-- name: states
-- Where conversations stand; the fence keeps everybody else from moving them.
SELECT c.tenant_id, c.conversation_id, c.state, c.state_judged
  FROM conversations c
  JOIN unnest($1::text[], $2::text[]) AS k (tenant_id, conversation_id)
       USING (tenant_id, conversation_id)

-- name: save_state
-- Where a conversation stands after the batch.
UPDATE conversations
   SET state = $3, state_judged = $4::text[], state_incarnation = $5, state_offset = $6
 WHERE tenant_id = $1 AND conversation_id = $2

-- name: save_grants
-- What became of each request, on the row of its first copy: the whole place tells which one that
-- is, since a copy in another partition or incarnation may lie at the same offset.
UPDATE conversation_events e
   SET is_granted = g.is_granted
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::bool[])
       AS g (tenant_id, event_id, incarnation, partition, log_offset, is_granted)
 WHERE e.tenant_id = g.tenant_id AND e.event_id = g.event_id
   AND e.incarnation = g.incarnation AND e.partition = g.partition
   AND e.log_offset = g.log_offset

-- name: merge_preferences
-- The latest statement of what a user prefers is all that counts.
INSERT INTO user_preferences AS p (
    tenant_id, user_id, version, personality, language, voice, free, updated_at)
SELECT DISTINCT ON (tenant_id, user_id)
       tenant_id, user_id, version, personality, language, voice, nullif(free, '')::jsonb, at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
              $8::timestamptz[])
       AS i (tenant_id, user_id, version, personality, language, voice, free, at)
 ORDER BY tenant_id, user_id, version COLLATE "C" DESC
ON CONFLICT (tenant_id, user_id) DO UPDATE SET
    version = excluded.version,
    personality = excluded.personality,
    language = excluded.language,
    voice = excluded.voice,
    free = excluded.free,
    updated_at = excluded.updated_at
 WHERE excluded.version > p.version

-- name: insert_revisions
-- New decisions about segments; what comes back was there before.
WITH inserted AS (
    INSERT INTO segment_revisions (
        tenant_id, segment_id, revision, previous_revision, conversation_id, cause,
        started_at, ended_at, first_event_id, last_event_id, message_count, member_digest,
        first_offset, last_offset, incarnation, partition, decided_offset, watermark,
        policy_id, policy_version, idle_gap, rule_version, opening_event_id, channel,
        participants, user_ids, cut_event_time, cut_event_id, retracted, sealed_at)
    SELECT tenant_id, segment_id, revision, previous_revision, conversation_id, cause,
           started_at, ended_at, first_event_id, last_event_id, message_count, member_digest,
           first_offset, last_offset, incarnation, partition, decided_offset, watermark,
           policy_id, policy_version, idle_gap, rule_version, opening_event_id, channel,
           participants, user_ids, cut_event_time, cut_event_id, retracted, sealed_at
      FROM incoming_revisions
     ORDER BY tenant_id COLLATE "C", segment_id, revision
    ON CONFLICT (tenant_id, segment_id, revision) DO NOTHING
    RETURNING tenant_id, segment_id, revision
)
SELECT tenant_id, segment_id::text, revision FROM incoming_revisions
EXCEPT
SELECT tenant_id, segment_id::text, revision FROM inserted

-- name: revision_identities
-- What is stored under these keys.
SELECT tenant_id, segment_id::text, revision,
       incarnation, member_digest, partition, decided_offset
  FROM segment_revisions
  JOIN unnest($1::text[], $2::uuid[], $3::bigint[]) AS known (tenant_id, segment_id, revision)
       USING (tenant_id, segment_id, revision)

-- name: merge_segments
-- The greatest revision shows; of one revision its retraction.
INSERT INTO segments AS s (
    tenant_id, segment_id, conversation_id, revision, is_retracted, merged_into,
    started_at, ended_at, message_count, cause, channel)
SELECT tenant_id, segment_id, conversation_id, revision, is_retracted, merged_into,
       started_at, ended_at, message_count, cause, channel
  FROM incoming_segments
 ORDER BY tenant_id, segment_id
ON CONFLICT (tenant_id, segment_id) DO UPDATE SET
    revision = excluded.revision,
    is_retracted = excluded.is_retracted,
    merged_into = excluded.merged_into,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    message_count = excluded.message_count,
    cause = excluded.cause,
    channel = excluded.channel
 WHERE (excluded.revision, excluded.is_retracted) > (s.revision, s.is_retracted)

-- name: insert_verdicts
-- New verdicts; what comes back was there before.
WITH inserted AS (
    INSERT INTO verdicts (
        tenant_id, segment_id, revision, pass_name, pass_version, conversation_id,
        fingerprint, member_digest, content_digest, output_schema_version, output,
        trigger, attempt_count, started_at, ended_at, worker_id, backfill_run_id, model,
        prompt_digest, input_tokens, output_tokens, cost_micro_usd, latency, is_from_memo)
    SELECT tenant_id, segment_id, revision, pass_name, pass_version, conversation_id,
           fingerprint, member_digest, content_digest, output_schema_version, output,
           trigger, attempt_count, started_at, ended_at, worker_id, backfill_run_id, model,
           prompt_digest, input_tokens, output_tokens, cost_micro_usd, latency, is_from_memo
      FROM incoming_verdicts
     ORDER BY tenant_id, segment_id, revision, pass_name, pass_version
    ON CONFLICT (tenant_id, segment_id, revision, pass_name, pass_version) DO NOTHING
    RETURNING tenant_id, segment_id, revision, pass_name, pass_version
)
SELECT tenant_id, segment_id::text, revision, pass_name, pass_version FROM incoming_verdicts
EXCEPT
SELECT tenant_id, segment_id::text, revision, pass_name, pass_version FROM inserted

-- name: verdict_identities
-- What is stored under these keys.
SELECT tenant_id, segment_id::text, revision, pass_name, pass_version,
       fingerprint, member_digest, content_digest
  FROM verdicts
  JOIN unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])
       AS known (tenant_id, segment_id, revision, pass_name, pass_version)
       USING (tenant_id, segment_id, revision, pass_name, pass_version)

-- name: insert_dead_letters
-- Records that could not be used, whole.
INSERT INTO dead_letters (
    service, topic, incarnation, partition,
    log_offset, reason, detail, append_time, key, value, headers)
SELECT $1, $2, $3, $4, bad.*
  FROM unnest($5::bigint[], $6::text[], $7::text[], $8::timestamptz[], $9::bytea[], $10::bytea[],
              $11::jsonb[])
       AS bad (log_offset, reason, detail, append_time, key, value, headers)
ON CONFLICT (service, topic, incarnation, partition, log_offset) DO NOTHING

-- name: recent_bad_offsets
-- The records before the fence that count when the partition decides whether to stop.
SELECT log_offset FROM dead_letters
 WHERE service = $1 AND topic = $2 AND incarnation = $3 AND partition = $4
   AND log_offset >= $5 AND reason <> $6
 ORDER BY log_offset

-- name: refused_before
-- What the live tables know to have been refused; the tables that are filled may be others.
SELECT log_offset, detail FROM public.dead_letters
 WHERE service = $1 AND topic = $2 AND incarnation = $3 AND partition = $4
   AND log_offset >= $5 AND reason = $6

-- name: refused_in_former_incarnations
-- The same of what lay elsewhere before the topic was grown or repaired.
SELECT incarnation, partition, log_offset, detail FROM public.dead_letters
 WHERE service = $1 AND incarnation <> $2 AND reason = $3

-- name: not_dead_letters
-- Offsets at which there is no dead letter.
SELECT named.log_offset FROM unnest($5::bigint[]) AS named (log_offset)
 WHERE NOT EXISTS (
       SELECT FROM dead_letters d
        WHERE d.service = $1 AND d.topic = $2 AND d.incarnation = $3 AND d.partition = $4
          AND d.log_offset = named.log_offset)

-- name: add_to_ledger
-- Within the fence's transaction, so every record is counted once, in all and by the minute. What
-- comes back should equal the fence's offset.
WITH minutes AS (
    INSERT INTO ledger_minutes AS m (
        consumer, topic, incarnation, partition,
        began_at, stored, duplicate, dead_lettered, not_for_table)
    SELECT $1, $2, $3, $4, batch.*
      FROM unnest($9::timestamptz[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
           AS batch (began_at, stored, duplicate, dead_lettered, not_for_table)
     ORDER BY batch.began_at
    ON CONFLICT (consumer, topic, incarnation, partition, began_at) DO UPDATE SET
        stored = m.stored + excluded.stored,
        duplicate = m.duplicate + excluded.duplicate,
        dead_lettered = m.dead_lettered + excluded.dead_lettered,
        not_for_table = m.not_for_table + excluded.not_for_table
)
INSERT INTO ledger AS l (
    consumer, topic, incarnation, partition, stored, duplicate, dead_lettered, not_for_table)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (consumer, topic, incarnation, partition) DO UPDATE SET
    stored = l.stored + excluded.stored,
    duplicate = l.duplicate + excluded.duplicate,
    dead_lettered = l.dead_lettered + excluded.dead_lettered,
    not_for_table = l.not_for_table + excluded.not_for_table
RETURNING stored + duplicate + dead_lettered + not_for_table

-- name: trim_discarded
-- Dead letters that somebody discarded so long ago; in portions, well below the time limits.
DELETE FROM dead_letters WHERE id IN (
  SELECT id FROM dead_letters WHERE discarded_at < now() - $1::interval LIMIT 1000)

-- name: gather_minutes
-- Minutes that are long past become one row an hour.
WITH past AS (
    DELETE FROM ledger_minutes
     WHERE (consumer, topic, incarnation, partition, began_at) IN (
           SELECT consumer, topic, incarnation, partition, began_at FROM ledger_minutes
            WHERE began_at < date_trunc('hour', now() - $1::interval)
              AND began_at <> date_trunc('hour', began_at)
            LIMIT 10000)
    RETURNING *
)
INSERT INTO ledger_minutes AS l (
    consumer, topic, incarnation, partition, began_at,
    stored, duplicate, dead_lettered, not_for_table)
SELECT consumer, topic, incarnation, partition, date_trunc('hour', began_at),
       sum(stored), sum(duplicate), sum(dead_lettered), sum(not_for_table)
  FROM past
 GROUP BY consumer, topic, incarnation, partition, date_trunc('hour', began_at)
 ORDER BY consumer, topic, incarnation, partition, date_trunc('hour', began_at)
ON CONFLICT (consumer, topic, incarnation, partition, began_at) DO UPDATE SET
    stored = l.stored + excluded.stored,
    duplicate = l.duplicate + excluded.duplicate,
    dead_lettered = l.dead_lettered + excluded.dead_lettered,
    not_for_table = l.not_for_table + excluded.not_for_table
