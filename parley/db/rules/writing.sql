-- For people who write with SQL: the log stays the truth, and their messages go through it.

-- Puts a message into the inbox, from where the persister publishes it; returns its event id, by
-- which it will stand in conversation_messages. The same message_id of the same login in the same
-- conversation is the same message: it is written once, however often it is recorded.
CREATE OR REPLACE FUNCTION record_message(
  conversation_id text,
  role text,
  content text,
  message_id text DEFAULT NULL,
  user_id text DEFAULT NULL,
  session_id text DEFAULT NULL,
  audio_url text DEFAULT NULL,
  metadata jsonb DEFAULT NULL,
  channel text DEFAULT NULL,
  language text DEFAULT NULL,
  occurred_at timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
#variable_conflict use_column
DECLARE
  -- Above it the relay is not running, and a queue that nobody empties must not grow.
  most_waiting CONSTANT bigint := 100000;
  -- What no record holds. The envelope needs some of it too: the relay looks again.
  most_bytes CONSTANT bigint := 1000000;
  my_tenant CONSTANT text := operations.my_tenant();
  my_user CONSTANT text := operations.my_user();
  sent_by CONSTANT text := 'sql:' || session_user;
  own_id CONSTANT text := coalesce(nullif(record_message.message_id, ''), gen_random_uuid()::text);
  talk record;
  talking record;
  known record;
  new_id uuid;
BEGIN
  IF my_tenant IS NULL THEN
    RAISE insufficient_privilege USING MESSAGE = 'this login belongs to no tenant',
      HINT = 'Say which with SELECT set_config(''parley.tenant_id'', …, false), where the login '
             'may; `parley db logins list` shows what each may.';
  END IF;
  IF EXISTS (SELECT FROM tenants WHERE tenant_id = my_tenant AND NOT is_enabled) THEN
    RAISE insufficient_privilege USING MESSAGE = format('the tenant %s is disabled', my_tenant);
  END IF;
  IF coalesce(record_message.conversation_id, '') = '' THEN
    RAISE invalid_parameter_value USING MESSAGE = 'a message needs its conversation';
  END IF;
  IF coalesce(record_message.role, '') NOT IN ('user', 'assistant', 'system', 'tool') THEN
    RAISE invalid_parameter_value USING MESSAGE = 'the role must be user, assistant, system or tool';
  END IF;
  IF coalesce(record_message.content, '') = '' AND coalesce(record_message.audio_url, '') = '' THEN
    RAISE invalid_parameter_value USING MESSAGE = 'a message needs content or audio';
  END IF;
  IF jsonb_typeof(record_message.metadata) <> 'object' THEN
    RAISE invalid_parameter_value USING MESSAGE = 'metadata must be a JSON object';
  END IF;
  IF octet_length(coalesce(record_message.content, ''))
      + octet_length(coalesce(record_message.audio_url, ''))
      + octet_length(coalesce(record_message.metadata::text, '')) > most_bytes THEN
    RAISE invalid_parameter_value
      USING MESSAGE = format('a message may have %s bytes with its metadata', most_bytes);
  END IF;
  -- The same years as in parley/codec/validity.py.
  IF NOT (record_message.occurred_at >= '1900-01-01T00:00:00Z'
      AND record_message.occurred_at < '2200-01-01T00:00:00Z') THEN
    RAISE invalid_parameter_value
      USING MESSAGE = 'occurred_at must lie within the years 1900 to 2200';
  END IF;

  SELECT state, user_id, channel INTO talk FROM conversations
   WHERE tenant_id = my_tenant AND conversation_id = record_message.conversation_id;
  IF talk.state = 'ended' THEN
    RAISE object_not_in_prerequisite_state USING MESSAGE = 'the conversation has ended';
  END IF;
  IF my_user IS NOT NULL AND (record_message.role <> 'user'
      OR my_user IS DISTINCT FROM coalesce(record_message.user_id, my_user)
      OR my_user IS DISTINCT FROM coalesce(talk.user_id, my_user)) THEN
    RAISE insufficient_privilege
      USING MESSAGE = format('%s may speak for itself in its own conversations only', my_user);
  END IF;

  IF my_user IS NOT NULL AND EXISTS (
      SELECT FROM conversation_sessions
       WHERE tenant_id = my_tenant AND conversation_id = record_message.conversation_id
         AND session_id = record_message.session_id AND user_id IS DISTINCT FROM my_user) THEN
    RAISE insufficient_privilege
      USING MESSAGE = format('%s may speak in its own sessions only', my_user);
  END IF;

  -- The session that is named, or the conversation's newest open one.
  SELECT session_id, user_id, channel INTO talking FROM conversation_sessions
   WHERE tenant_id = my_tenant AND conversation_id = record_message.conversation_id
     AND session_id = coalesce(record_message.session_id, session_id)
     AND (is_active OR record_message.session_id IS NOT NULL)
     AND (my_user IS NULL OR user_id = my_user)
   ORDER BY started_at DESC NULLS LAST, session_id LIMIT 1;

  new_id := operations.derived_id(
    'message', my_tenant, record_message.conversation_id, sent_by, '', own_id);
  IF EXISTS (SELECT FROM conversation_events WHERE tenant_id = my_tenant AND event_id = new_id) THEN
    RETURN new_id;
  END IF;
  IF (SELECT max(id) FROM operations.inbox)
      - (SELECT min(id) FROM operations.inbox WHERE published_at IS NULL AND refused_at IS NULL)
      >= most_waiting THEN
    RAISE configuration_limit_exceeded USING MESSAGE = 'too many messages wait to be published',
      HINT = 'Is the persister running? See `parley doctor`.';
  END IF;
  INSERT INTO operations.inbox (
    tenant_id, event_id, conversation_id, session_id, user_id, sender, client_message_id,
    role, content, audio_url, metadata_text, channel, language, occurred_at, recorded_at)
  VALUES (
    my_tenant, new_id, record_message.conversation_id,
    coalesce(record_message.session_id, talking.session_id),
    coalesce(record_message.user_id, my_user, talking.user_id), sent_by, own_id,
    record_message.role, coalesce(record_message.content, ''), record_message.audio_url,
    coalesce(record_message.metadata::text, ''),
    coalesce(record_message.channel, talking.channel, talk.channel, ''),
    coalesce(record_message.language, ''), record_message.occurred_at, clock_timestamp())
  ON CONFLICT (tenant_id, event_id) DO NOTHING;
  IF NOT FOUND THEN
    SELECT role, content INTO known FROM operations.inbox
     WHERE tenant_id = my_tenant AND event_id = new_id;
    IF (known.role, known.content) IS DISTINCT FROM
        (record_message.role, coalesce(record_message.content, '')) THEN
      RAISE unique_violation
        USING MESSAGE = format('message_id %L was recorded with other content', own_id);
    END IF;
  END IF;
  RETURN new_id;
END $$;
REVOKE ALL ON FUNCTION record_message FROM PUBLIC;
