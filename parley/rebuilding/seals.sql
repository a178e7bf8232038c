-- What a replay decided, beside what the topics hold. Tables of the replay's own schema.

-- name: create
-- Both sides, empty; `letters` and `copies` are dead letters, by the records that they were.
DROP TABLE IF EXISTS decided, published, letters, copies;
CREATE TABLE decided (
    tenant_id text, subject text, revision bigint, digest bytea, conversation_id text,
    incarnation text, decided_partition int, decided_offset bigint, facts jsonb,
    outbox_id bigint);
CREATE INDEX ON decided (tenant_id, subject, revision, digest);
CREATE TABLE published (
    tenant_id text, subject text, revision bigint, digest bytea, conversation_id text,
    incarnation text, decided_partition int, decided_offset bigint, facts jsonb);
CREATE TABLE letters (topic text, partition int, log_offset bigint, outbox_id bigint);
CREATE TABLE copies (topic text, partition int, log_offset bigint)

-- name: next_outbox
-- What the replay has put aside to be published, in order.
SELECT id, topic, partition, source_topic, source_partition, key, value, headers, created_at
  FROM outbox WHERE id > $1 ORDER BY id LIMIT $2

-- name: otherwise
-- What the topic has and the replay has not, or otherwise; $2 says whether the replay has read all
-- that the topic's decisions came from. If not, it may lack those from its fence on, and those as
-- of the record before it, which the next record's time may have made. $3: in any fact, those of
-- the place ($4) within one log alone; otherwise by the digest of the members. Each is looked up:
-- nobody has told the server how large these tables are, and of both it would read all for each.
SELECT CASE WHEN near.subject IS NULL THEN 'seal that a replay does not give'
            ELSE 'seal that a replay gives otherwise' END AS kind,
       p.tenant_id, p.conversation_id, p.subject, p.revision,
       coalesce((SELECT string_agg(fact.key, ', ' ORDER BY fact.key)
                   FROM jsonb_each_text(p.facts) AS fact
                  WHERE fact.value <> coalesce(same.facts, near.facts) ->> fact.key
                    AND (p.incarnation = coalesce(same.incarnation, near.incarnation)
                         OR fact.key <> ALL($4::text[]))), '') AS columns
  FROM published p
  LEFT JOIN LATERAL (
         SELECT * FROM decided d
          WHERE d.tenant_id = p.tenant_id AND d.subject = p.subject AND d.revision = p.revision
          LIMIT 1) AS near ON true
  LEFT JOIN LATERAL (
         SELECT * FROM decided d
          WHERE d.tenant_id = p.tenant_id AND d.subject = p.subject AND d.revision = p.revision
            AND d.digest = p.digest
          LIMIT 1) AS same ON true
 WHERE (same.subject IS NULL
        AND ($2::bool OR near.subject IS NOT NULL OR NOT EXISTS (
              SELECT FROM fences f
               WHERE f.consumer = 'sealer' AND f.partition = p.decided_partition
                 AND f.incarnation = p.incarnation AND f.next_offset <= p.decided_offset + 1)))
    OR ($3::bool AND CASE WHEN same.incarnation = p.incarnation THEN same.facts <> p.facts
                          ELSE same.facts - $4::text[] <> p.facts - $4::text[] END)
 LIMIT $1

-- name: unpublished
-- What the replay decided and the topic lacks.
SELECT 'seal that the topic lacks' AS kind,
       d.tenant_id, d.conversation_id, d.subject, d.revision
  FROM decided d
 WHERE NOT EXISTS (
         SELECT FROM published p
          WHERE p.tenant_id = d.tenant_id AND p.subject = d.subject AND p.revision = d.revision)
 LIMIT $1

-- name: mark_seals
-- The topic holds them.
UPDATE outbox o SET published_at = now()
  FROM published p
  JOIN decided d USING (tenant_id, subject, revision, digest)
 WHERE o.id = d.outbox_id AND o.published_at IS NULL

-- name: forget_given
-- What both have need not be looked at again. Truncated, as deleted rows would still be read over.
CREATE TEMP TABLE differing ON COMMIT DROP AS
SELECT * FROM published p
 WHERE NOT EXISTS (
         SELECT FROM decided d
          WHERE d.tenant_id = p.tenant_id AND d.subject = p.subject AND d.revision = p.revision
            AND d.digest = p.digest);
TRUNCATE published;
INSERT INTO published SELECT * FROM differing

-- name: analyze
-- Before they are joined: both were filled just now.
ANALYZE decided, published

-- name: mark_letters
-- Their topic holds them, or the live tables do.
UPDATE outbox o SET published_at = now()
  FROM letters l
 WHERE o.id = l.outbox_id AND o.published_at IS NULL
   AND (EXISTS (
         SELECT FROM copies c
          WHERE c.topic = l.topic AND c.partition = l.partition AND c.log_offset = l.log_offset)
     OR EXISTS (
         SELECT FROM {live}.dead_letters d
          WHERE d.topic = l.topic AND d.partition = l.partition AND d.log_offset = l.log_offset))

-- name: count_unpublished
-- What will be published after a swap.
SELECT count(*) FROM outbox WHERE published_at IS NULL
