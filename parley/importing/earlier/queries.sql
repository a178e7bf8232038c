-- What is asked of an earlier tracker's database. It is only read.

-- name: find_columns
-- The columns of a table, with their types.
SELECT attname AS name, format_type(atttypid, NULL) AS type
  FROM pg_attribute
 WHERE attrelid = to_regclass(CASE WHEN $1::text IS NULL THEN quote_ident($2::text)
                                   ELSE quote_ident($1) || '.' || quote_ident($2) END)
   AND attnum > 0 AND NOT attisdropped

-- name: find_referenced
-- The column of the sessions that a foreign key on the messages' session_id names.
SELECT referenced.attname
  FROM pg_constraint AS link
  JOIN pg_attribute AS referring
    ON referring.attrelid = link.conrelid AND referring.attnum = link.conkey[1]
  JOIN pg_attribute AS referenced
    ON referenced.attrelid = link.confrelid AND referenced.attnum = link.confkey[1]
 WHERE link.contype = 'f' AND cardinality(link.conkey) = 1 AND referring.attname = 'session_id'
   AND link.conrelid = to_regclass(CASE WHEN $1::text IS NULL THEN quote_ident($2::text)
                                        ELSE quote_ident($1) || '.' || quote_ident($2) END)
   AND link.confrelid = to_regclass(CASE WHEN $1::text IS NULL THEN quote_ident($3::text)
                                         ELSE quote_ident($1) || '.' || quote_ident($3) END)
