-- What a gateway reads to begin where the tables stand. Every query is one statement, so that the
-- rows and the fence beside them are of one moment.

-- name: snapshots
-- Conversations' states with the offset up to which the tables know them; state NULL is a new one.
SELECT k.conversation_id, c.state, c.state_judged, c.user_id, f.incarnation, f.next_offset
  FROM unnest($2::text[], $3::int[]) AS k (conversation_id, partition)
  LEFT JOIN conversations c ON c.tenant_id = $1 AND c.conversation_id = k.conversation_id
  LEFT JOIN fences f ON f.consumer = $4 AND f.topic = $5 AND f.partition = k.partition

-- name: events_from
-- A conversation's events from an offset on, and the fence below which there are no others.
SELECT f.incarnation, f.next_offset, e.log_offset, e.append_time, e.value, e.is_granted
  FROM fences f
  LEFT JOIN LATERAL (
       SELECT log_offset, append_time, value, is_granted FROM conversation_events
        WHERE tenant_id = $1 AND conversation_id = $2 AND partition = $3
          AND incarnation = f.incarnation AND log_offset >= $4
        ORDER BY log_offset LIMIT $5) AS e ON true
 WHERE f.consumer = $6 AND f.topic = $7 AND f.partition = $3
 ORDER BY e.log_offset

-- name: decision
-- What became of a request that was stored.
SELECT log_offset, is_granted FROM conversation_events
 WHERE tenant_id = $1 AND event_id = $2::uuid AND is_granted IS NOT NULL

-- name: fences
-- Up to where the tables hold each partition.
SELECT partition, incarnation, next_offset FROM fences WHERE consumer = $1 AND topic = $2
