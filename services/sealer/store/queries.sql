-- What the sealer asks of its own tables. `w` is what a batch wants, one row a conversation or id.
-- Where there is much of it, it comes as one JSON text: of an array the driver looks at each value.

-- name: partition
-- The partition's time, rule and imports.
SELECT watermark, rule_version, imports FROM sealer_partitions WHERE topic = $1 AND partition = $2

-- name: open_windows
-- Every open segment of a partition.
SELECT * FROM sealer_windows WHERE partition = $1

-- name: open_sessions
-- Every open session of a partition.
SELECT * FROM sealer_sessions WHERE partition = $1 AND is_open
 ORDER BY tenant_id, conversation_id, session_id

-- name: window_deadlines
-- When each open segment of a partition falls due.
SELECT tenant_id, conversation_id, deadline FROM sealer_windows WHERE partition = $1

-- name: session_arrivals
-- When each open session of a partition was last heard of.
SELECT tenant_id, conversation_id, last_arrival FROM sealer_sessions WHERE partition = $1 AND is_open

-- name: open_windows_of
-- Every open segment of the conversations.
SELECT o.* FROM unnest($1::text[], $2::text[]) AS w (tenant_id, conversation_id)
  JOIN sealer_windows o USING (tenant_id, conversation_id)

-- name: open_sessions_of
-- Every open session of the conversations.
SELECT s.* FROM unnest($1::text[], $2::text[]) AS w (tenant_id, conversation_id)
  JOIN sealer_sessions s USING (tenant_id, conversation_id)
 WHERE s.is_open ORDER BY s.tenant_id, s.conversation_id, s.session_id

-- name: tails
-- The last segment of each conversation ($1 tenants, $2 conversations) that is valid and closed.
SELECT t.* FROM unnest($1::text[], $2::text[]) AS w (tenant_id, conversation_id)
 CROSS JOIN LATERAL (
   SELECT s.* FROM sealer_segments s
    WHERE s.tenant_id = w.tenant_id AND s.conversation_id = w.conversation_id
      AND s.current_revision > 0
      AND NOT EXISTS (SELECT FROM sealer_windows o
                       WHERE o.tenant_id = s.tenant_id AND o.conversation_id = s.conversation_id
                         AND o.segment_id = s.segment_id)
    ORDER BY s.first_time DESC, s.first_event_id DESC LIMIT 1) AS t

-- name: segments
-- Closed segments that meet a conversation's range (null where nothing may join), are named, or
-- were opened by one of the events.
SELECT s.*, ((s.current_revision > 0 AND s.first_time <= w.latest AND s.reach >= w.earliest)
             OR s.segment_id = ANY(w.segment_ids)) IS TRUE AS is_wanted_whole
  FROM json_to_recordset($1)
       AS w (tenant_id text, conversation_id text, event_ids uuid[], segment_ids uuid[],
             earliest timestamptz, latest timestamptz)
  JOIN sealer_segments s USING (tenant_id, conversation_id)
 WHERE ((s.current_revision > 0 AND s.first_time <= w.latest AND s.reach >= w.earliest)
        OR s.segment_id = ANY(w.segment_ids) OR s.opening_event_id = ANY(w.event_ids))
   AND NOT EXISTS (SELECT FROM sealer_windows o
                    WHERE o.tenant_id = s.tenant_id AND o.conversation_id = s.conversation_id
                      AND o.segment_id = s.segment_id)

-- name: members
-- All entries of the segments named by ($1, $2, $3).
SELECT m.* FROM unnest($1::text[], $2::text[], $3::uuid[])
       AS w (tenant_id, conversation_id, segment_id)
  JOIN sealer_members m USING (tenant_id, conversation_id, segment_id)

-- name: known
-- Which ids of the conversations are known, and in which segment. One by one: joined, the server
-- would read all that a conversation has.
SELECT w.tenant_id, w.conversation_id, m.event_id, m.segment_id
  FROM json_to_recordset($1) AS w (tenant_id text, conversation_id text, event_ids uuid[])
 CROSS JOIN unnest(w.event_ids) AS e (event_id)
 CROSS JOIN LATERAL (
   SELECT m.event_id, m.segment_id FROM sealer_members m
    WHERE m.tenant_id = w.tenant_id AND m.conversation_id = w.conversation_id
      AND m.event_id = e.event_id
    LIMIT 1) AS m

-- name: early
-- Revisions that came before the messages that they revise; $2 is the id of no segment.
SELECT m.*
  FROM json_to_recordset($1) AS w (tenant_id text, conversation_id text, event_ids uuid[])
  JOIN sealer_members m ON m.tenant_id = w.tenant_id AND m.conversation_id = w.conversation_id
                       AND m.segment_id = $2 AND m.target = ANY(w.event_ids)

-- name: waiting
-- The entries named by ($1, $2, $3), where they belong to no segment ($4).
SELECT m.* FROM unnest($1::text[], $2::text[], $3::uuid[])
       AS w (tenant_id, conversation_id, event_id)
  JOIN sealer_members m USING (tenant_id, conversation_id, event_id)
 WHERE m.segment_id = $4 AND m.target IS NOT NULL

-- name: stored
-- Which of the conversations have anything stored at all. For EXISTS … OR EXISTS the server would
-- read whole tables each time, and without an order it may hope to meet a row soon as it reads one.
SELECT w.tenant_id, w.conversation_id
  FROM unnest($1::text[], $2::text[]) AS w (tenant_id, conversation_id)
 CROSS JOIN LATERAL (
   (SELECT 1 FROM sealer_members m
     WHERE m.tenant_id = w.tenant_id AND m.conversation_id = w.conversation_id
     ORDER BY m.event_id LIMIT 1)
    UNION ALL
   (SELECT 1 FROM sealer_sessions s
     WHERE s.tenant_id = w.tenant_id AND s.conversation_id = w.conversation_id
     ORDER BY s.session_id LIMIT 1)
    UNION ALL
   (SELECT 1 FROM sealer_segments g
     WHERE g.tenant_id = w.tenant_id AND g.conversation_id = w.conversation_id
     ORDER BY g.segment_id LIMIT 1)
    LIMIT 1) AS found

-- name: cuts_from
-- Cuts of the conversations from a time ($3) on.
SELECT c.* FROM unnest($1::text[], $2::text[], $3::timestamptz[])
       AS w (tenant_id, conversation_id, earliest)
  JOIN sealer_cuts c ON c.tenant_id = w.tenant_id AND c.conversation_id = w.conversation_id
                    AND c.event_time >= w.earliest
 ORDER BY c.tenant_id, c.conversation_id, c.event_time, c.event_id

-- name: sessions
-- The sessions named by ($1, $2, $3).
SELECT s.* FROM unnest($1::text[], $2::text[], $3::text[])
       AS w (tenant_id, conversation_id, session_id)
  JOIN sealer_sessions s USING (tenant_id, conversation_id, session_id)

-- name: rejected
-- The conversation whose event ($1) at an offset ($2) a table refused.
SELECT m.tenant_id, m.conversation_id, m.event_id
  FROM unnest($1::uuid[], $2::bigint[]) AS w (event_id, log_offset)
  JOIN sealer_members m USING (event_id, log_offset)

-- name: save_partition
-- The partition's time, rule and imports.
INSERT INTO sealer_partitions (topic, partition, watermark, rule_version, imports, known_rules)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (topic, partition) DO UPDATE
   SET watermark = $3, rule_version = $4, imports = $5, known_rules = $6

-- name: delete_windows
-- Segments that are open no more.
DELETE FROM sealer_windows o
 USING unnest($1::text[], $2::text[], $3::uuid[]) AS w (tenant_id, conversation_id, segment_id)
 WHERE o.tenant_id = w.tenant_id AND o.conversation_id = w.conversation_id
   AND o.segment_id = w.segment_id

-- name: delete_members
-- All entries of segments that are written anew.
DELETE FROM sealer_members m
 USING unnest($1::text[], $2::text[], $3::uuid[]) AS w (tenant_id, conversation_id, segment_id)
 WHERE m.tenant_id = w.tenant_id AND m.conversation_id = w.conversation_id
   AND m.segment_id = w.segment_id

-- name: delete_ids
-- Entries that a table refused, wherever they are.
DELETE FROM sealer_members m
 USING unnest($1::text[], $2::text[], $3::uuid[]) AS w (tenant_id, conversation_id, event_id)
 WHERE m.tenant_id = w.tenant_id AND m.conversation_id = w.conversation_id
   AND m.event_id = w.event_id

-- name: save_windows
-- Open segments, whole.
INSERT INTO sealer_windows SELECT * FROM json_populate_recordset(NULL::sealer_windows, $1)
ON CONFLICT (tenant_id, conversation_id, segment_id) DO UPDATE
   SET opening_event_id = excluded.opening_event_id, revision = excluded.revision,
       current_revision = excluded.current_revision, first_time = excluded.first_time,
       first_event_id = excluded.first_event_id, last_time = excluded.last_time,
       last_event_id = excluded.last_event_id, reach = excluded.reach,
       deadline = excluded.deadline, message_count = excluded.message_count,
       rest = excluded.rest

-- name: save_segments
-- Closed segments, whole.
INSERT INTO sealer_segments SELECT * FROM json_populate_recordset(NULL::sealer_segments, $1)
ON CONFLICT (tenant_id, conversation_id, segment_id) DO UPDATE
   SET opening_event_id = excluded.opening_event_id, revision = excluded.revision,
       current_revision = excluded.current_revision, first_time = excluded.first_time,
       first_event_id = excluded.first_event_id, last_time = excluded.last_time,
       last_event_id = excluded.last_event_id, reach = excluded.reach,
       deadline = excluded.deadline, message_count = excluded.message_count,
       rest = excluded.rest

-- name: save_members
-- Entries; one that is known moves to the segment that took it in.
INSERT INTO sealer_members
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[],
                     $6::bigint[], $7::uuid[])
ON CONFLICT (tenant_id, conversation_id, event_id) DO UPDATE
   SET segment_id = excluded.segment_id

-- name: delete_cuts
-- Cuts that were lifted.
DELETE FROM sealer_cuts c
 USING unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[])
       AS w (tenant_id, conversation_id, event_time, event_id)
 WHERE c.tenant_id = w.tenant_id AND c.conversation_id = w.conversation_id
   AND c.event_time = w.event_time AND c.event_id = w.event_id

-- name: save_cuts
-- Cuts that were placed.
INSERT INTO sealer_cuts
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[])
ON CONFLICT DO NOTHING

-- name: save_sessions
-- Sessions, whole.
INSERT INTO sealer_sessions SELECT * FROM json_populate_recordset(NULL::sealer_sessions, $1)
ON CONFLICT (tenant_id, conversation_id, session_id) DO UPDATE
   SET generation = excluded.generation, is_open = excluded.is_open,
       has_settled = excluded.has_settled, is_imported = excluded.is_imported, last_event_time = excluded.last_event_time,
       last_arrival = excluded.last_arrival
