-- Nothing wrote these tables before this version, so they are made anew rather than changed.
DROP TABLE api_keys;
DROP TABLE tenants;
DROP TABLE audit_log;

CREATE TABLE tenants (
  id          text PRIMARY KEY,
  parent_id   text REFERENCES tenants (id),
  name        text NOT NULL,
  limits      jsonb NOT NULL DEFAULT '{}',
  budgets     jsonb NOT NULL DEFAULT '[]',
  quotas      jsonb NOT NULL DEFAULT '[]',
  metadata    jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL
) WITHOUT ROWID;
CREATE INDEX tenants_by_parent ON tenants (parent_id) WHERE parent_id IS NOT NULL;

-- Keys are stored as a keyed hash; the key itself is nowhere. A revoked key keeps its row, which the ledger names.
CREATE TABLE api_keys (
  id                   text PRIMARY KEY,         -- sorts by the time at which it was made
  key_hash             bytea NOT NULL UNIQUE,
  previous_hash        bytea UNIQUE,             -- after a rotation, until previous_expires_at
  previous_expires_at  timestamptz,
  prefix               text NOT NULL DEFAULT '', -- the first characters, for people
  label                text NOT NULL DEFAULT '',
  role                 text NOT NULL,            -- bootstrap, admin, operator, user
  tenant_id            text NOT NULL,
  user_id              text,
  active               boolean NOT NULL,
  models               jsonb NOT NULL DEFAULT '["*"]',
  endpoints            jsonb NOT NULL DEFAULT '["*"]',
  ip_allow             jsonb NOT NULL DEFAULT '[]',
  limits               jsonb NOT NULL DEFAULT '{}',
  budgets              jsonb NOT NULL DEFAULT '[]',
  quotas               jsonb NOT NULL DEFAULT '[]',
  metadata             jsonb NOT NULL DEFAULT '{}',
  expires_at           timestamptz,
  created_at           timestamptz NOT NULL,
  updated_at           timestamptz NOT NULL,
  last_used_at         timestamptz,              -- to the minute or so
  revoked_at           timestamptz
) WITHOUT ROWID;
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id);

-- Who did what. Rows are added and never changed.
CREATE TABLE audit_log (
  id            integer PRIMARY KEY,             -- PostgreSQL: bigint generated always as identity
  time          timestamptz NOT NULL,
  actor         text NOT NULL,                   -- the key's label; "local" where no key was asked for
  actor_key_id  text,
  actor_role    text,
  address       text,                            -- the client's
  request_id    text,                            -- x-weir-request-id of the change
  action        text NOT NULL,                   -- create, update, rotate, revoke, delete ...
  object        text NOT NULL,                   -- key, tenant ...
  object_id     text NOT NULL,
  before        jsonb,                           -- without secrets; null: there was nothing
  after         jsonb
);
CREATE INDEX audit_log_by_object ON audit_log (object, object_id, id);
