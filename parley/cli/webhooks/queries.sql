-- How webhooks are doing, and what was sent to them.

-- name: is_known
-- Whether the persister has written what was set, so that the analyzer goes by it.
SELECT EXISTS (SELECT FROM webhooks
                WHERE tenant_id = $1 AND webhook_id = $2 AND changed_at = $3)

-- name: webhooks
-- Webhooks as the tables have them, and how each is doing; of one tenant or (null) of all.
SELECT webhook.tenant_id, webhook.webhook_id, webhook.url, webhook.passes, webhook.categories,
       webhook.is_live_only, webhook.secret_version, webhook.former_until, webhook.is_enabled,
       webhook.changed_by, webhook.changed_at,
       coalesce(state.failure_count, 0) AS failure_count, state.failing_since, state.rests_until,
       state.last_success_at, state.disabled_at, state.disabled_reason,
       count(delivery) FILTER (WHERE delivery.state IN ('open', 'claimed')) AS waiting,
       count(delivery) FILTER (WHERE delivery.state = 'delivered') AS delivered,
       count(delivery) FILTER (WHERE delivery.state = 'failed') AS failed
  FROM webhooks AS webhook
  LEFT JOIN operations.webhook_states AS state USING (tenant_id, webhook_id)
  LEFT JOIN operations.webhook_deliveries AS delivery USING (tenant_id, webhook_id)
 WHERE NOT webhook.is_removed
   AND ($1::text IS NULL OR webhook.tenant_id = $1)
   AND ($2::text IS NULL OR webhook.webhook_id = $2)
 GROUP BY webhook.tenant_id, webhook.webhook_id, state.tenant_id, state.webhook_id
 ORDER BY webhook.tenant_id, webhook.webhook_id

-- name: enable
-- Whoever enables a webhook has seen why it was disabled.
UPDATE operations.webhook_states
   SET disabled_at = NULL, disabled_reason = NULL, failure_count = 0, failing_since = NULL,
       rests_until = NULL
 WHERE tenant_id = $1 AND webhook_id = $2

-- name: cancel
-- A webhook that was removed gets nothing that waits.
UPDATE operations.webhook_deliveries
   SET state = 'cancelled', reason = 'webhook_removed', ended_at = now(), lease_token = NULL
 WHERE tenant_id = $1 AND webhook_id = $2 AND state IN ('open', 'claimed')

-- name: deliveries
-- What was sent to a webhook, the newest first: by id, conversation and state, null for any.
SELECT delivery_id, webhook_id, conversation_id, segment_id, revision, pass_name, pass_version,
       state, reason, attempt_count, created_at, ended_at,
       CASE WHEN state IN ('open', 'claimed') THEN due_at END AS due_at
  FROM operations.webhook_deliveries
 WHERE tenant_id = $1
   AND ($2::text IS NULL OR webhook_id = $2)
   AND ($3::uuid IS NULL OR delivery_id = $3)
   AND ($4::text IS NULL OR conversation_id = $4)
   AND ($5::text[] IS NULL OR state = ANY ($5))
   AND ($6::timestamptz IS NULL OR created_at >= $6)
 ORDER BY number DESC LIMIT $7

-- name: attempts
-- The requests of a delivery, in order.
SELECT attempted_at, status, problem, extract(epoch FROM latency)::float8 AS latency_seconds
  FROM operations.webhook_attempts
 WHERE tenant_id = $1 AND delivery_id = $2
 ORDER BY number

-- name: begin_again
-- Deliveries that have ended go out again, under the same ids: named ones, or all that failed.
UPDATE operations.webhook_deliveries
   SET state = 'open', reason = '', attempt_count = 0, due_at = now(), ended_at = NULL
 WHERE tenant_id = $1 AND webhook_id = $2 AND state NOT IN ('open', 'claimed')
   AND CASE WHEN $3::uuid[] IS NULL THEN state = 'failed' ELSE delivery_id = ANY ($3) END
RETURNING delivery_id

-- name: verdicts_since
-- Verdicts that were made then or later, the first one first, behind a place in that order.
SELECT verdict.tenant_id, verdict.conversation_id, verdict.segment_id, verdict.revision,
       verdict.pass_name, verdict.pass_version, verdict.trigger, verdict.ended_at,
       coalesce(definition.category, '') AS category
  FROM verdicts AS verdict
  LEFT JOIN pass_definitions AS definition USING (pass_name, pass_version)
 WHERE verdict.tenant_id = $1
   AND (verdict.ended_at, verdict.segment_id, verdict.revision, verdict.pass_name,
        verdict.pass_version) > ($2, $3::uuid, $4::bigint, $5::text, $6::bigint)
 ORDER BY verdict.ended_at, verdict.segment_id, verdict.revision, verdict.pass_name,
          verdict.pass_version
 LIMIT $7

-- name: verdicts_between
-- How many verdicts there are that were made within a time, by what decides who wants them.
SELECT verdict.pass_name, verdict.trigger, coalesce(definition.category, '') AS category,
       count(*) AS verdicts
  FROM verdicts AS verdict
  LEFT JOIN pass_definitions AS definition USING (pass_name, pass_version)
 WHERE verdict.tenant_id = $1 AND verdict.ended_at >= $2 AND verdict.ended_at < $3
 GROUP BY 1, 2, 3

-- name: tell
-- Deliveries of verdicts that lie in the tables already; one that there is stays as it is.
INSERT INTO operations.webhook_deliveries (
       tenant_id, delivery_id, webhook_id, conversation_id, segment_id, revision, pass_name,
       pass_version, incarnation, analyses_partition, log_offset)
SELECT $1, delivery_id, $2, conversation_id, segment_id, revision, pass_name, pass_version, '', 0,
       -1
  FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::bigint[], $7::text[], $8::bigint[])
       WITH ORDINALITY
    AS new (delivery_id, conversation_id, segment_id, revision, pass_name, pass_version, place)
 ORDER BY place
ON CONFLICT (tenant_id, delivery_id) DO NOTHING
RETURNING delivery_id
