-- Who asks: whose rows a connection may see, and the ids that Parley derives. They lie in the
-- schema `operations`, so that a swap of the tables leaves the policies that call them as they are.

-- Whether the login owns Parley's tables, or may become who does: it sees everything anyway.
CREATE OR REPLACE FUNCTION operations.is_owner() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_has_role(session_user, relowner, 'MEMBER') FROM pg_class
   WHERE oid = 'operations.logins'::regclass
$$;

-- The tenant of the login; of a login for any tenant the one that its connection names. Null,
-- which no row has, for everybody else. By session_user: SET ROLE makes nobody another.
CREATE OR REPLACE FUNCTION operations.my_tenant() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN logins.tenant_id IS NOT NULL THEN logins.tenant_id
              WHEN logins.login IS NOT NULL OR operations.is_owner()
              THEN nullif(current_setting('parley.tenant_id', true), '') END
    FROM (SELECT) AS always
    LEFT JOIN operations.logins ON logins.login = session_user
$$;

-- The user that the login is bound to, or that its connection narrows itself to; null for all of
-- the tenant's users.
CREATE OR REPLACE FUNCTION operations.my_user() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(logins.user_id, nullif(current_setting('parley.user_id', true), ''))
    FROM (SELECT) AS always
    LEFT JOIN operations.logins ON logins.login = session_user
$$;

-- The UUID (version 5) of the parts, as parley/ids.py makes it. SHA-1 by hand, since PostgreSQL
-- has it only in extensions that not every server offers.
CREATE OR REPLACE FUNCTION operations.derived_id(VARIADIC parts text[]) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  mask CONSTANT bigint := 4294967295;
  input bytea;
  word bigint[];
  h bigint[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
  a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; x bigint;
  digest text := '';
BEGIN
  SELECT '\x6f1d2b5e4f0c5b0e9c518a3c6d0f7e21'::bytea
           || convert_to(string_agg(length(one.part) || ':' || one.part, '' ORDER BY one.place),
                         'UTF8')
    INTO input FROM unnest(parts) WITH ORDINALITY AS one (part, place);
  input := input || '\x80'::bytea
             || decode(repeat('00', (119 - length(input) % 64) % 64), 'hex')
             || int8send(8 * length(input)::bigint);
  FOR start IN 0 .. length(input) - 1 BY 64 LOOP
    FOR i IN 0 .. 15 LOOP
      word[i] := (get_byte(input, start + 4 * i)::bigint << 24)
               | (get_byte(input, start + 4 * i + 1) << 16)
               | (get_byte(input, start + 4 * i + 2) << 8)
               | get_byte(input, start + 4 * i + 3);
    END LOOP;
    FOR i IN 16 .. 79 LOOP
      x := word[i - 3] # word[i - 8] # word[i - 14] # word[i - 16];
      word[i] := ((x << 1) | (x >> 31)) & mask;
    END LOOP;
    a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
    FOR i IN 0 .. 79 LOOP
      IF i < 20 THEN f := (b & c) | ((~b & mask) & d); k := 1518500249;
      ELSIF i < 40 THEN f := b # c # d; k := 1859775393;
      ELSIF i < 60 THEN f := (b & c) | (b & d) | (c & d); k := 2400959708;
      ELSE f := b # c # d; k := 3395469782;
      END IF;
      x := ((((a << 5) | (a >> 27)) & mask) + f + e + k + word[i]) & mask;
      e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := x;
    END LOOP;
    h := ARRAY[(h[1] + a) & mask, (h[2] + b) & mask, (h[3] + c) & mask, (h[4] + d) & mask,
               (h[5] + e) & mask];
  END LOOP;
  FOR i IN 1 .. 4 LOOP
    digest := digest || lpad(to_hex(h[i]), 8, '0');
  END LOOP;
  -- Version 5, variant 10.
  RETURN overlay(overlay(digest PLACING '5' FROM 13 FOR 1) PLACING
                 to_hex(8 | (('x' || substr(digest, 17, 1))::bit(4)::int & 3)) FROM 17 FOR 1)::uuid;
END $$;
