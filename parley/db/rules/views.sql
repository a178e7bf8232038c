-- What people ask most. With the rights of who asks, so that the policies of the tables hold.

CREATE OR REPLACE VIEW active_sessions WITH (security_invoker = true) AS
SELECT tenant_id, session_id, conversation_id, user_id, channel, started_at, last_event_at,
       message_count, now() - started_at AS open_for
  FROM conversation_sessions
 WHERE is_active;
COMMENT ON VIEW active_sessions IS 'sessions that are open now';

CREATE OR REPLACE VIEW completed_sessions WITH (security_invoker = true) AS
SELECT tenant_id, session_id, conversation_id, user_id, channel, started_at, ended_at, end_reason,
       duration_seconds, message_count
  FROM conversation_sessions
 WHERE ended_at IS NOT NULL;
COMMENT ON VIEW completed_sessions IS 'sessions that are over, with how long they took';

CREATE OR REPLACE VIEW average_session_duration WITH (security_invoker = true) AS
SELECT tenant_id, count(*) AS sessions,
       round(avg(duration_seconds), 1) AS average_seconds,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_seconds) AS median_seconds,
       max(duration_seconds) AS longest_seconds
  FROM conversation_sessions
 WHERE duration_seconds IS NOT NULL
 GROUP BY tenant_id;
COMMENT ON VIEW average_session_duration IS 'how long the sessions of each tenant take';

CREATE OR REPLACE VIEW daily_counts WITH (security_invoker = true) AS
SELECT tenant_id, day, coalesce(talk.conversations, 0) AS conversations,
       coalesce(talk.messages, 0) AS messages, coalesce(started.sessions, 0) AS sessions
  FROM (SELECT tenant_id, (event_time AT TIME ZONE 'UTC')::date AS day,
               count(DISTINCT conversation_id) AS conversations, count(*) AS messages
          FROM conversation_messages GROUP BY 1, 2) AS talk
  FULL JOIN (SELECT tenant_id, (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS sessions
               FROM conversation_sessions WHERE started_at IS NOT NULL GROUP BY 1, 2) AS started
       USING (tenant_id, day);
COMMENT ON VIEW daily_counts IS
  'by UTC day: conversations with a message, their messages, and sessions that began';

-- A view, so that it follows merges: what is retracted is nobody's former segment any more.
CREATE OR REPLACE VIEW current_segments WITH (security_invoker = true) AS
SELECT tenant_id, conversation_id, segment_id, revision, cause, started_at, ended_at, message_count,
       channel, participants, user_ids,
       CASE WHEN started_at - lag(ended_at) OVER earlier <= 4 * idle_gap
             AND participants && lag(participants) OVER earlier
            THEN lag(segment_id) OVER earlier END AS continues
  FROM (SELECT s.tenant_id, s.conversation_id, s.segment_id, s.revision, s.cause, s.started_at,
               s.ended_at, s.message_count, s.channel, r.participants, r.user_ids, r.idle_gap,
               r.first_event_id
          FROM segments AS s
          JOIN segment_revisions AS r USING (tenant_id, segment_id, revision)
         WHERE NOT s.is_retracted) AS standing
WINDOW earlier AS (PARTITION BY tenant_id, conversation_id ORDER BY started_at, first_event_id);
COMMENT ON VIEW current_segments IS
  'segments as they stand; continues is the one before, where it ended within four idle gaps and'
  ' somebody spoke in both';

-- What counts now. `v.*` so that a column that verdicts gain is here too: views are made anew.
CREATE OR REPLACE VIEW verdicts_current WITH (security_invoker = true) AS
SELECT v.*, s.channel, s.started_at AS segment_started_at, s.ended_at AS segment_ended_at,
       s.message_count,
       NOT EXISTS (SELECT FROM verdicts AS newer
                    WHERE newer.tenant_id = v.tenant_id AND newer.segment_id = v.segment_id
                      AND newer.revision = v.revision AND newer.pass_name = v.pass_name
                      AND newer.pass_version > v.pass_version) AS is_newest_version
  FROM verdicts AS v
  JOIN segments AS s USING (tenant_id, segment_id, revision)
 WHERE NOT s.is_retracted;
COMMENT ON VIEW verdicts_current IS
  'verdicts of segments as they stand, one for each version of a pass; is_newest_version marks the'
  ' greatest version that has one';
