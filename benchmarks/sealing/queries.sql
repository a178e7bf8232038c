-- What the benchmark of the sealer asks of its database.

-- name: progress
-- Records that the sealer's tables hold the effects of.
SELECT coalesce(sum(next_offset), 0)::bigint FROM fences WHERE consumer = 'sealer' AND topic = $1

-- name: forget
-- As if nothing had been read.
TRUNCATE sealer_windows, sealer_segments, sealer_members, sealer_cuts, sealer_sessions,
         sealer_partitions, outbox, fences
