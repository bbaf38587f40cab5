-- name: add_tenant
INSERT INTO tenants (id, parent_id, name, limits, budgets, quotas, metadata, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT DO NOTHING;

-- name: update_tenant
UPDATE tenants
SET parent_id = ?2, name = ?3, limits = ?4, budgets = ?5, quotas = ?6, metadata = ?7, created_at = ?8, updated_at = ?9
WHERE id = ?1;

-- name: find_tenant
SELECT id, parent_id, name, limits, budgets, quotas, metadata, created_at, updated_at FROM tenants WHERE id = ?1;

-- name: list_tenants
SELECT id, parent_id, name, limits, budgets, quotas, metadata, created_at, updated_at
FROM tenants
WHERE id > ?1 AND (?2 IS NULL OR parent_id = ?2)
ORDER BY id
LIMIT ?3;

-- name: remove_tenant
DELETE FROM tenants WHERE id = ?1;
