-- What the tables of the config topic say of passes.

-- name: definitions
-- Every version of every pass.
SELECT fingerprint, definition, changed_by, changed_at FROM pass_definitions

-- name: activations
-- Which version of each pass is in force.
SELECT pass_name, is_enabled, versions, changed_by, changed_at FROM pass_activations

-- name: subscriptions
-- What tenants want and do not want.
SELECT tenant_id, target, is_category, is_enabled, changed_by, changed_at FROM pass_subscriptions
