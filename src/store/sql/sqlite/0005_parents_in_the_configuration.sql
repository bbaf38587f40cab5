-- The parent of a tenant may be a tenant of the configuration, which has no row.
CREATE TABLE tenants_of_any_parent (
  id          text PRIMARY KEY,
  parent_id   text,
  name        text NOT NULL,
  limits      jsonb NOT NULL DEFAULT '{}',
  budgets     jsonb NOT NULL DEFAULT '[]',
  quotas      jsonb NOT NULL DEFAULT '[]',
  metadata    jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL
) WITHOUT ROWID;
INSERT INTO tenants_of_any_parent (id, parent_id, name, limits, budgets, quotas, metadata, created_at, updated_at)
SELECT id, parent_id, name, limits, budgets, quotas, metadata, created_at, updated_at FROM tenants;
DROP TABLE tenants;
ALTER TABLE tenants_of_any_parent RENAME TO tenants;
CREATE INDEX tenants_by_parent ON tenants (parent_id) WHERE parent_id IS NOT NULL;
