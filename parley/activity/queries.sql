-- What is read of the activity worker's figures; a null tenant means all of them.

-- name: partitions
-- Every partition that was measured within $1, with the age of its figures.
SELECT partition, measured_at, clock_timestamp() - measured_at AS age, behind_records, is_capped,
       partition_count
  FROM operations.activity_partitions
 WHERE measured_at > clock_timestamp() - $1::interval
 ORDER BY partition

-- name: figures
-- The figures of those partitions, added up.
SELECT tenant_id, channel, window_seconds, sum(messages)::bigint AS messages,
       sum(conversations)::bigint AS conversations, sum(user_words)::bigint AS user_words,
       sum(assistant_words)::bigint AS assistant_words,
       sum(audio_messages)::bigint AS audio_messages
  FROM operations.activity
 WHERE partition = ANY ($1) AND ($2::text IS NULL OR tenant_id = $2)
 GROUP BY tenant_id, channel, window_seconds
 ORDER BY tenant_id, channel, window_seconds
