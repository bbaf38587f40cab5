-- name: create_migrations
CREATE TABLE IF NOT EXISTS schema_migrations (
  version     integer PRIMARY KEY,
  name        text NOT NULL,
  applied_at  timestamptz NOT NULL
);

-- name: current_version
SELECT coalesce(max(version), 0) FROM schema_migrations;

-- name: note_migration
INSERT INTO schema_migrations (version, name, applied_at) VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
