-- What the config topic says now, by tenant, key and so on: the latest record of each.

-- name: save_tenant
-- A tenant as it was last set.
INSERT INTO tenants (tenant_id, display_name, is_enabled, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id) DO UPDATE SET
    display_name = excluded.display_name, is_enabled = excluded.is_enabled,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at

-- name: save_api_key
-- A key, which is replaced when it is revoked.
INSERT INTO api_keys (tenant_id, key_id, key_hash, subject, roles, expires_at, revoked_at,
                      changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, key_id) DO UPDATE SET
    key_hash = excluded.key_hash, subject = excluded.subject, roles = excluded.roles,
    expires_at = excluded.expires_at, revoked_at = excluded.revoked_at,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at

-- name: save_retention
-- How long a tenant's messages are kept.
INSERT INTO retention (tenant_id, keep_days, cutoff, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id) DO UPDATE SET
    keep_days = excluded.keep_days, cutoff = excluded.cutoff,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at

-- name: save_gap_policy
-- A version of a policy; a record that was written again says the same.
INSERT INTO gap_policies (tenant_id, channel, policy_id, version, idle_gap, grace, seal_on_end,
                          max_duration, max_messages, is_withdrawn, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (tenant_id, channel, version) DO UPDATE SET
    policy_id = excluded.policy_id, idle_gap = excluded.idle_gap, grace = excluded.grace,
    seal_on_end = excluded.seal_on_end, max_duration = excluded.max_duration,
    max_messages = excluded.max_messages, is_withdrawn = excluded.is_withdrawn,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at

-- name: save_pass_definition
-- A version of a pass; one that was applied again may say other things of its use.
INSERT INTO pass_definitions (pass_name, pass_version, fingerprint, kind, category, description,
                              priority, definition, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (pass_name, pass_version) DO UPDATE SET
    fingerprint = excluded.fingerprint, kind = excluded.kind, category = excluded.category,
    description = excluded.description, priority = excluded.priority,
    definition = excluded.definition, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at

-- name: save_pass_activation
-- Which version of a pass is in force.
INSERT INTO pass_activations (pass_name, is_enabled, pass_version, versions, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (pass_name) DO UPDATE SET
    is_enabled = excluded.is_enabled, pass_version = excluded.pass_version,
    versions = excluded.versions, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at

-- name: save_subscription
-- What a tenant wants, or does not want.
INSERT INTO pass_subscriptions (tenant_id, is_category, target, is_enabled, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, is_category, target) DO UPDATE SET
    is_enabled = excluded.is_enabled, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at

-- name: save_webhook
-- Who is told of verdicts, as it was last set; removed ones too.
INSERT INTO webhooks (tenant_id, webhook_id, url, secret_version, secret_check, passes, categories,
                      former_until, is_live_only, is_enabled, is_removed, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (tenant_id, webhook_id) DO UPDATE SET
    url = excluded.url, secret_version = excluded.secret_version,
    secret_check = excluded.secret_check, passes = excluded.passes,
    categories = excluded.categories, former_until = excluded.former_until,
    is_live_only = excluded.is_live_only, is_enabled = excluded.is_enabled,
    is_removed = excluded.is_removed, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at

-- name: gap_policies
-- Of every tenant and channel the latest version.
SELECT DISTINCT ON (tenant_id, channel)
       tenant_id, channel, policy_id, version, idle_gap, grace, seal_on_end, max_duration,
       max_messages, is_withdrawn, changed_by, changed_at
  FROM gap_policies
 ORDER BY tenant_id, channel, version DESC

-- name: forget_tenant
-- $2, its own name, is in every key of the topic.
DELETE FROM tenants WHERE tenant_id = $1 AND $2::text IS NOT NULL

-- name: forget_api_key
-- A key whose record was deleted, or replaced by one that cannot be read.
DELETE FROM api_keys WHERE tenant_id = $1 AND key_id = $2

-- name: forget_retention
-- The same; $2 says what is kept.
DELETE FROM retention WHERE tenant_id = $1 AND $2::text IS NOT NULL

-- name: forget_gap_policy
-- One version.
DELETE FROM gap_policies WHERE tenant_id = $1 AND channel = $2 AND version = $3

-- name: forget_pass_definition
-- One version; passes belong to no tenant.
DELETE FROM pass_definitions WHERE $1 = '' AND pass_name = $2 AND pass_version = $3

-- name: forget_pass_activation
-- The same of what is in force.
DELETE FROM pass_activations WHERE $1 = '' AND pass_name = $2

-- name: forget_subscription
-- $2 names a pass or a category, with its kind before it.
DELETE FROM pass_subscriptions
 WHERE tenant_id = $1
   AND CASE WHEN is_category THEN 'category:' ELSE 'pass:' END || target = $2

-- name: forget_webhook
-- One webhook; it is told of nothing more.
DELETE FROM webhooks WHERE tenant_id = $1 AND webhook_id = $2
