-- What the tables are asked and told when a topic's next incarnation takes its place.

-- name: fences
-- Who reads the topic, and where each stands.
SELECT consumer, partition, incarnation, next_offset, last_append_time, last_checksum
  FROM fences WHERE topic = $1 ORDER BY consumer, partition

-- name: lock_fences
-- Nobody moves them until the switch is over.
SELECT consumer, partition, incarnation, next_offset, last_append_time, last_checksum
  FROM fences WHERE topic = $1 ORDER BY consumer, partition FOR UPDATE

-- name: reads
-- Whether this database reads the topic.
SELECT EXISTS (SELECT FROM fences WHERE topic = $1)

-- name: unpublished
-- Records that must follow from the topic, or into it, and that nobody has published yet.
SELECT count(*) FROM outbox
 WHERE published_at IS NULL AND (source_topic = $1 OR topic = $1)

-- name: unpublished_into
-- Those that must go into the topic.
SELECT count(*) FROM outbox WHERE published_at IS NULL AND topic = $1

-- name: imports_under_way
-- Imports that may still hold windows.
SELECT count(*) FROM sealer_partitions WHERE topic = $1 AND imports <> '[]'::jsonb

-- name: watermarks
-- The sealer's time in each partition.
SELECT partition, watermark FROM sealer_partitions WHERE topic = $1 AND watermark IS NOT NULL

-- name: rule_version
-- The sealing rule that the log has asked for.
SELECT max(rule_version) FROM sealer_partitions WHERE topic = $1

-- name: delete_fences
-- The former topic is read no more.
DELETE FROM fences WHERE topic = $1

-- name: insert_fences
-- Its successor is read from where the tables stand.
INSERT INTO fences (consumer, topic, partition, incarnation, next_offset, owner_epoch, owner,
                    last_append_time, last_checksum)
SELECT fence.consumer, $1, fence.partition, $2, fence.next_offset, 0, '',
       fence.last_append_time, fence.last_checksum
  FROM unnest($3::text[], $4::int[], $5::bigint[], $6::timestamptz[], $7::bigint[])
       AS fence (consumer, partition, next_offset, last_append_time, last_checksum)

-- name: insert_ledger
-- The copies are accounted for: what the tables knew before they were made is known.
INSERT INTO ledger (consumer, topic, incarnation, partition, duplicate)
SELECT copied.consumer, $1, $2, copied.partition, copied.known
  FROM unnest($4::text[], $5::int[], $6::bigint[]) AS copied (consumer, partition, known)
 WHERE EXISTS (SELECT FROM ledger WHERE ledger.consumer = copied.consumer AND ledger.topic = $3)

-- name: insert_ledger_minutes
-- The same by the minute in which the broker appended them.
INSERT INTO ledger_minutes (consumer, topic, incarnation, partition, began_at, duplicate)
SELECT reader.consumer, $1, $2, copied.partition, copied.began_at, copied.known
  FROM unnest($4::int[], $5::timestamptz[], $6::bigint[]) AS copied (partition, began_at, known)
 CROSS JOIN (SELECT DISTINCT consumer FROM ledger WHERE topic = $3) AS reader

-- name: delete_watermarks
-- The sealer's time is one of the successor's partitions now.
DELETE FROM sealer_partitions WHERE topic = $1

-- name: insert_watermarks
-- Each begins where the last record of its copy leaves it.
INSERT INTO sealer_partitions (topic, partition, watermark, rule_version)
SELECT $1, mark.partition, mark.watermark, $2
  FROM unnest($3::int[], $4::timestamptz[]) AS mark (partition, watermark)

-- name: rename_watermarks
-- With as many partitions each keeps its time, its rule and its imports.
UPDATE sealer_partitions SET topic = $2 WHERE topic = $1

-- name: open_windows
-- Open segments, to be found in the partition of their conversation.
SELECT tenant_id, conversation_id, segment_id FROM sealer_windows

-- name: place_windows
-- Where they lie now.
UPDATE sealer_windows AS w SET partition = placed.partition
  FROM unnest($1::text[], $2::text[], $3::uuid[], $4::int[])
       AS placed (tenant_id, conversation_id, segment_id, partition)
 WHERE w.tenant_id = placed.tenant_id AND w.conversation_id = placed.conversation_id
   AND w.segment_id = placed.segment_id

-- name: open_sessions
-- The same for sessions.
SELECT tenant_id, conversation_id, session_id FROM sealer_sessions WHERE is_open

-- name: place_sessions
-- Where they lie now.
UPDATE sealer_sessions AS s SET partition = placed.partition
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
       AS placed (tenant_id, conversation_id, session_id, partition)
 WHERE s.tenant_id = placed.tenant_id AND s.conversation_id = placed.conversation_id
   AND s.session_id = placed.session_id

-- name: rename_outbox
-- What the relays of the former topic have not published is the successor's relays' to publish.
UPDATE outbox SET source_topic = $2 WHERE source_topic = $1 AND published_at IS NULL

-- name: rename_destination
-- What was to go into the former topic goes into its successor.
UPDATE outbox SET topic = $2 WHERE topic = $1 AND published_at IS NULL

-- name: unpublished_events
-- Records that wait to be published into a topic of events.
SELECT id, partition, value FROM outbox WHERE topic = $1 AND published_at IS NULL

-- name: rewrite_unpublished
-- What such a record is to say.
UPDATE outbox SET value = $2 WHERE id = $1

-- name: stored_events
-- What the tables hold of a partition, in its order, to compare the log with.
SELECT log_offset, append_time, event_id::text
  FROM conversation_events WHERE incarnation = $1 AND partition = $2 ORDER BY log_offset

-- name: lost_events
-- The events of a partition from an offset on, with their bytes, and what could not be used.
SELECT log_offset, append_time, tenant_id, conversation_id, NULL::bytea AS key, value,
       NULL::text AS headers
  FROM conversation_events
 WHERE incarnation = $2 AND partition = $3 AND log_offset >= $4
 UNION ALL
SELECT log_offset, append_time, NULL, NULL, key, value, headers::text
  FROM dead_letters
 WHERE service = 'persister' AND topic = $1 AND incarnation = $2 AND partition = $3
   AND log_offset >= $4
 ORDER BY log_offset

-- name: published_into
-- What relays have published into a topic, as long as the outbox keeps it: the very records.
SELECT key, value, published_at FROM outbox
 WHERE topic = $1 AND published_at IS NOT NULL ORDER BY id

-- name: stored_seals
-- Every decision about a segment.
SELECT tenant_id, conversation_id, segment_id::text, revision, previous_revision, cause,
       started_at, ended_at, first_event_id::text, last_event_id::text, message_count,
       member_digest, first_offset, last_offset, incarnation, partition, decided_offset,
       watermark, policy_id, policy_version, idle_gap, rule_version, opening_event_id::text,
       channel, participants, user_ids, cut_event_time, cut_event_id::text, retracted::text, sealed_at
  FROM segment_revisions ORDER BY sealed_at, decided_offset, segment_id, revision

-- name: settled_sessions
-- Sessions that nobody ended.
SELECT tenant_id, conversation_id, session_id, generation, ended_at
  FROM conversation_sessions WHERE end_reason = 'idle' ORDER BY ended_at, session_id, conversation_id

-- name: stored_verdicts
-- Every verdict.
SELECT tenant_id, conversation_id, segment_id::text, revision, pass_name, pass_version,
       fingerprint, member_digest, content_digest, output_schema_version,
       output::text AS output_json, trigger, attempt_count, started_at, ended_at, worker_id,
       coalesce(backfill_run_id::text, '') AS backfill_run_id, model, prompt_digest, input_tokens,
       output_tokens, cost_micro_usd, latency, is_from_memo
  FROM verdicts ORDER BY ended_at, segment_id, revision, pass_name, pass_version
