-- How tables are made again in another schema, and how they are swapped. {live} and {shadow} stand
-- for the two schemas. $1 is the live schema, $2 the tables' names.

-- name: owners
-- Whom each table belongs to, where that is not who runs this.
SELECT format('ALTER TABLE %I OWNER TO %I', c.relname, pg_get_userbyid(c.relowner)) AS statement
  FROM pg_class c
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[]) AND c.relkind = 'r'
   AND pg_get_userbyid(c.relowner) <> current_user

-- name: parameters
-- Storage parameters, for the tables of a schema ($3).
SELECT format('ALTER TABLE %I.%I SET (%s)', $3::text, c.relname, array_to_string(c.reloptions, ', '))
           AS statement
  FROM pg_class c
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[]) AND c.relkind = 'r'
   AND c.reloptions IS NOT NULL

-- name: constraints
-- Keys and checks.
SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, k.conname,
              pg_get_constraintdef(k.oid, true)) AS statement
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
   AND k.contype IN ('p', 'u', 'c', 'x')
 ORDER BY c.relname, k.conname

-- name: references
-- What refers to another table, where a schema ($3) does not have it yet.
SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, k.conname,
              pg_get_constraintdef(k.oid, true)) AS statement
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
   AND k.contype = 'f'
   AND NOT EXISTS (SELECT FROM pg_constraint o
                    WHERE o.connamespace = $3::text::regnamespace AND o.conname = k.conname)
 ORDER BY c.relname, k.conname

-- name: indexes
-- Indexes that no constraint made, where a schema ($3) does not have them yet.
SELECT pg_get_indexdef(i.indexrelid, 0, true) AS statement,
       c.relname AS table_name, x.relname AS index_name, i.indisunique AS is_unique
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_class x ON x.oid = i.indexrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
   AND NOT EXISTS (SELECT FROM pg_constraint k
                    WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
   AND NOT EXISTS (SELECT FROM pg_class o
                    WHERE o.relnamespace = $3::text::regnamespace AND o.relname = x.relname)

-- name: triggers
-- Triggers that people made.
SELECT pg_get_triggerdef(t.oid, true) AS statement
  FROM pg_trigger t
  JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
   AND NOT t.tgisinternal

-- name: comments
-- Comments on tables and columns.
SELECT CASE WHEN d.objsubid = 0
            THEN format('COMMENT ON TABLE %I IS %L', c.relname, d.description)
            ELSE format('COMMENT ON COLUMN %I.%I IS %L', c.relname, a.attname, d.description)
       END AS statement
  FROM pg_description d
  JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[]) AND c.relkind = 'r'

-- name: policies
-- Who may see which rows.
SELECT format('CREATE POLICY %I ON %I AS %s FOR %s TO %s%s%s', p.policyname, p.tablename,
              p.permissive, p.cmd,
              (SELECT string_agg(CASE WHEN role = 'public' THEN 'PUBLIC' ELSE quote_ident(role) END,
                                 ', ')
                 FROM unnest(p.roles::text[]) AS role),
              coalesce(' USING (' || p.qual || ')', ''),
              coalesce(' WITH CHECK (' || p.with_check || ')', '')) AS statement
  FROM pg_policies p
 WHERE p.schemaname = $1::text AND p.tablename = ANY($2::text[])

-- name: security
-- Whether rows are looked at by those policies.
SELECT format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', c.relname)
           || CASE WHEN c.relforcerowsecurity
                   THEN format('; ALTER TABLE %I FORCE ROW LEVEL SECURITY', c.relname)
                   ELSE '' END AS statement
  FROM pg_class c
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
   AND c.relrowsecurity

-- name: grants
-- What others may do with the tables, or with some of their columns.
SELECT format('GRANT %s ON %I TO %s%s', g.privilege_type, c.relname,
              CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
              CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
  FROM pg_class c
 CROSS JOIN LATERAL aclexplode(c.relacl) AS g
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[]) AND c.relkind = 'r'
   AND g.grantee <> c.relowner
UNION ALL
SELECT format('GRANT %s (%I) ON %I TO %s%s', g.privilege_type, a.attname, c.relname,
              CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
              CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid
 CROSS JOIN LATERAL aclexplode(a.attacl) AS g
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[]) AND c.relkind = 'r'
   AND g.grantee <> c.relowner

-- name: dependents
-- What would stay with the former tables: views, functions with their row types, foreign keys.
WITH ours AS (
    SELECT c.oid, c.reltype FROM pg_class c
     WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
       AND c.relkind = 'r'
)
SELECT DISTINCT r.ev_class::regclass::text AS name
  FROM pg_depend d
  JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
 WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM ours)
   AND r.ev_class NOT IN (SELECT oid FROM ours)
UNION
SELECT d.objid::regprocedure::text
  FROM pg_depend d
 WHERE d.classid = 'pg_proc'::regclass
   AND (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT reltype FROM ours)
        OR d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM ours))
UNION
SELECT k.conrelid::regclass::text FROM pg_constraint k
 WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM ours)
   AND k.conrelid NOT IN (SELECT oid FROM ours)

-- name: fences
-- Where the consumers stand.
SELECT consumer, topic, partition, owner_epoch, next_offset FROM {live}.fences

-- name: hold
-- Keep everybody from moving a fence; whoever is within a batch ends it first.
UPDATE {live}.fences
   SET held_until = now() + $1::interval, owner_epoch = owner_epoch + 1, owner = ''
RETURNING consumer, topic, partition, owner_epoch, next_offset

-- name: renew_hold
-- Go on keeping them.
UPDATE {live}.fences SET held_until = now() + $1::interval WHERE held_until IS NOT NULL

-- name: release
-- Let everybody go on, with the tables as they are.
UPDATE {live}.fences SET held_until = NULL WHERE held_until IS NOT NULL

-- name: waiting_sources
-- Consumers ($1) whose relays have something to publish.
SELECT DISTINCT consumer, source_topic, source_partition FROM {live}.outbox
 WHERE published_at IS NULL AND consumer = ANY($1::text[])

-- name: carry_fences
-- The fences of those who are not replayed ($1 are) stay where they are.
INSERT INTO {shadow}.fences
SELECT * FROM {live}.fences WHERE consumer <> ALL($1::text[])

-- name: carry_ledger
-- And what they have counted.
INSERT INTO {shadow}.ledger
SELECT * FROM {live}.ledger WHERE consumer <> ALL($1::text[])

-- name: carry_ledger_minutes
-- The same by the minute.
INSERT INTO {shadow}.ledger_minutes
SELECT * FROM {live}.ledger_minutes WHERE consumer <> ALL($1::text[])

-- name: free_fences
-- Everybody is fenced out until they claim anew.
UPDATE {shadow}.fences s
   SET owner_epoch = greatest(s.owner_epoch, l.owner_epoch) + 1, owner = '', held_until = NULL,
       stopped_reason = NULL
  FROM {shadow}.fences o
  LEFT JOIN {live}.fences l USING (consumer, topic, partition)
 WHERE s.consumer = o.consumer AND s.topic = o.topic AND s.partition = o.partition

-- name: outbox_sequence
-- No id is given out again: a relay that was paused may still mark those that it has published.
SELECT setval(pg_get_serial_sequence('{shadow}.outbox', 'id'),
              greatest((SELECT coalesce(max(id), 0) FROM {live}.outbox),
                       (SELECT coalesce(max(id), 0) FROM {shadow}.outbox),
                       nextval(pg_get_serial_sequence('{live}.outbox', 'id'))))

-- name: carry_outbox
-- What has still to be published gets new ids: first what the replay decided and the topics lack,
-- then what those who are not replayed ($1 are) have written.
WITH gone AS (
    DELETE FROM {shadow}.outbox WHERE published_at IS NULL RETURNING *
), waiting AS (
    SELECT 1 AS part, * FROM gone
     UNION ALL
    SELECT 2, * FROM {live}.outbox WHERE published_at IS NULL AND consumer <> ALL($1::text[])
)
INSERT INTO {shadow}.outbox (
    consumer, source_topic, source_partition, topic, partition, key, value, headers, created_at)
SELECT consumer, source_topic, source_partition, topic, partition, key, value, headers, created_at
  FROM waiting
 ORDER BY part, id

-- name: letters_sequence
-- Dead letters keep the numbers that people know them by.
SELECT setval(pg_get_serial_sequence('{shadow}.dead_letters', 'id'),
              greatest((SELECT coalesce(max(id), 0) FROM {shadow}.dead_letters),
                       nextval(pg_get_serial_sequence('{live}.dead_letters', 'id'))))

-- name: renumber_letters
-- Those that only the replay found get new ones.
UPDATE {shadow}.dead_letters SET id = DEFAULT

-- name: forget_known_letters
-- Those that both have ...
DELETE FROM {shadow}.dead_letters s
 USING {live}.dead_letters l
 WHERE s.service = l.service AND s.topic = l.topic AND s.incarnation = l.incarnation
   AND s.partition = l.partition AND s.log_offset = l.log_offset
RETURNING l.id

-- name: forget_copied_letters
-- ... or know by where the record lay in a former topic, as its copy's header says (in base64 the
-- text of a position, see parley/position.py), ...
WITH known AS (
    SELECT id, service, translate(rtrim(encode(convert_to(
               format('1.%s.%s.%s', incarnation, partition, log_offset), 'UTF8'), 'base64'), '='),
               E'+/\n', '-_') AS source
      FROM {live}.dead_letters
)
DELETE FROM {shadow}.dead_letters s
 USING known l
 WHERE s.service = l.service
   AND (SELECT h ->> 1 FROM jsonb_array_elements(s.headers) AS h
         WHERE h ->> 0 = 'parley-source-position' LIMIT 1)
       = replace(encode(convert_to(l.source, 'UTF8'), 'base64'), E'\n', '')
RETURNING l.id

-- name: carry_letters
-- ... come over as they are, with what was decided about them. So do those of what was not
-- replayed: of other consumers ($2 were), and of what a topic or its name was before.
INSERT INTO {shadow}.dead_letters OVERRIDING SYSTEM VALUE
SELECT l.* FROM {live}.dead_letters l
 WHERE l.id = ANY($1::bigint[])
    OR l.service <> ALL($2::text[])
    OR NOT EXISTS (SELECT FROM {shadow}.fences f
                    WHERE f.consumer = ANY($2::text[]) AND f.topic = l.topic
                      AND f.incarnation = l.incarnation)

-- name: waiting_seals
-- Seals that their relay has still to publish.
SELECT value FROM {live}.outbox
 WHERE published_at IS NULL AND consumer = 'sealer' ORDER BY id

-- name: count_session_messages
-- What a replay left out: of each session, how many messages there are.
-- Counted by a statement of its own, of which the server makes several at work.
CREATE TEMP TABLE counted ON COMMIT DROP AS
SELECT tenant_id, session_id, conversation_id, count(*) AS message_count
  FROM conversation_messages
 WHERE session_id IS NOT NULL
 GROUP BY tenant_id, session_id, conversation_id;
UPDATE conversation_sessions s
   SET message_count = counted.message_count
  FROM counted
 WHERE s.tenant_id = counted.tenant_id AND s.session_id = counted.session_id
   AND s.conversation_id = counted.conversation_id
   AND s.message_count <> counted.message_count

-- name: pages
-- How long a table ($1) is.
SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint

-- name: read_pages
-- Reads a table from a page ($1) to another ($2), which is not read.
SELECT count(*) FROM {table} WHERE ctid >= $1::text::tid AND ctid < $2::text::tid
