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

-- name: suspended
-- Passes whose jobs wait, and why. Those that stop all analyzers come last, so that they count where
-- there are both. An analyzer says again and again what it cannot run: one that is silent is gone.
SELECT fingerprint, pass_name, pass_version, min(reason) AS reason, min(since) AS since,
       count(*)::int AS analyzer_count
  FROM operations.foreign_passes
 WHERE seen_at > now() - interval '30 s'
 GROUP BY fingerprint, pass_name, pass_version
 UNION ALL
SELECT fingerprint, pass_name, pass_version, reason, suspended_at, 0 FROM operations.suspensions
 ORDER BY analyzer_count DESC, pass_name, pass_version
