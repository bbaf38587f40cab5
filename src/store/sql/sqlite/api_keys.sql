-- name: add_key
INSERT INTO api_keys (id, key_hash, previous_hash, previous_expires_at, prefix, label, role, tenant_id, user_id, active,
                      models, endpoints, ip_allow, limits, budgets, quotas, metadata, expires_at, created_at,
                      updated_at, last_used_at, revoked_at, expires_at_written)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)
ON CONFLICT DO NOTHING;

-- name: update_key
UPDATE api_keys
SET key_hash = ?2, previous_hash = ?3, previous_expires_at = ?4, prefix = ?5, label = ?6, role = ?7, tenant_id = ?8,
    user_id = ?9, active = ?10, models = ?11, endpoints = ?12, ip_allow = ?13, limits = ?14, budgets = ?15,
    quotas = ?16, metadata = ?17, expires_at = ?18, created_at = ?19, updated_at = ?20, last_used_at = ?21,
    revoked_at = ?22, expires_at_written = ?23
WHERE id = ?1;

-- name: find_key
SELECT id, key_hash, previous_hash, previous_expires_at, prefix, label, role, tenant_id, user_id, active, models,
       endpoints, ip_allow, limits, budgets, quotas, metadata, expires_at, created_at, updated_at, last_used_at,
       revoked_at, expires_at_written
FROM api_keys
WHERE id = ?1;

-- name: find_key_by_hash
SELECT id, key_hash, previous_hash, previous_expires_at, prefix, label, role, tenant_id, user_id, active, models,
       endpoints, ip_allow, limits, budgets, quotas, metadata, expires_at, created_at, updated_at, last_used_at,
       revoked_at, expires_at_written
FROM api_keys
WHERE key_hash = ?1 OR previous_hash = ?1
ORDER BY key_hash = ?1 DESC
LIMIT 1;

-- name: list_keys
SELECT id, key_hash, previous_hash, previous_expires_at, prefix, label, role, tenant_id, user_id, active, models,
       endpoints, ip_allow, limits, budgets, quotas, metadata, expires_at, created_at, updated_at, last_used_at,
       revoked_at, expires_at_written
FROM api_keys
WHERE (?1 IS NULL OR id < ?1)
  AND (?2 IS NULL OR tenant_id = ?2)
  AND (?3 IS NULL OR user_id = ?3)
  AND (?4 IS NULL OR label = ?4)
  AND (?5 IS NULL OR role = ?5)
  AND (?6 IS NULL OR active = ?6)
  AND (?7 OR revoked_at IS NULL)
ORDER BY id DESC
LIMIT ?8;

-- name: note_key_used
UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2);
