-- What the activity worker writes: the latest figures, in the place of the former ones.

-- name: measured
-- These partitions were measured now.
INSERT INTO operations.activity_partitions
       (partition, partition_count, worker, behind_records, is_capped, measured_at)
SELECT partition, $1, $2, behind_records, is_capped, clock_timestamp()
  FROM unnest($3::int[], $4::bigint[], $5::boolean[])
       AS row (partition, behind_records, is_capped)
 ORDER BY partition
    ON CONFLICT (partition) DO UPDATE
   SET partition_count = excluded.partition_count, worker = excluded.worker,
       behind_records = excluded.behind_records, is_capped = excluded.is_capped,
       measured_at = excluded.measured_at

-- name: forget
-- What these partitions said before.
DELETE FROM operations.activity WHERE partition = ANY ($1)

-- name: figures
-- What they say now.
INSERT INTO operations.activity
       (partition, tenant_id, channel, window_seconds, messages, conversations, user_words,
        assistant_words, audio_messages)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[],
                     $7::bigint[], $8::bigint[], $9::bigint[])

-- name: leave
-- This worker measures no more; figures that another has taken over stay.
DELETE FROM operations.activity_partitions WHERE worker = $1
