-- The types are PostgreSQL's; SQLite keeps such columns as text or numbers. Times are UTC as RFC 3339 writes them, so that
-- they sort as text. Money is US dollars; null is "not known", which is not zero.

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

-- Keys are stored as a keyed hash; the key itself is nowhere.
CREATE TABLE api_keys (
  id                   text PRIMARY KEY,
  key_hash             text NOT NULL UNIQUE,
  previous_hash        text UNIQUE,          -- after a rotation, until previous_expires_at
  previous_expires_at  timestamptz,
  hint                 text NOT NULL DEFAULT '',  -- the last characters, for people
  label                text NOT NULL DEFAULT '',
  role                 text NOT NULL,
  tenant_id            text,
  user_id              text,
  active               boolean NOT NULL DEFAULT TRUE,
  models               jsonb NOT NULL DEFAULT '["*"]',
  endpoints            jsonb NOT NULL DEFAULT '["*"]',
  limits               jsonb NOT NULL DEFAULT '{}',
  budgets              jsonb NOT NULL DEFAULT '[]',
  quotas               jsonb NOT NULL DEFAULT '[]',
  ip_allow             jsonb NOT NULL DEFAULT '[]',
  metadata             jsonb NOT NULL DEFAULT '{}',
  expires_at           timestamptz,
  created_at           timestamptz NOT NULL,
  updated_at           timestamptz NOT NULL,
  last_used_at         timestamptz
) WITHOUT ROWID;

-- One row for each call. Ids sort by time, so the primary key is the index by time too.
CREATE TABLE inference_logs (
  id                   text PRIMARY KEY,     -- the response's x-weir-request-id
  time                 timestamptz NOT NULL,
  tenant               text,
  key_id               text,
  endpoint             text NOT NULL,
  model                text NOT NULL,        -- as the caller named it
  provider             text,                 -- of the target that answered
  upstream_model       text,
  stream               boolean NOT NULL,
  cached               boolean NOT NULL,
  status               integer NOT NULL,     -- 0: the caller left before
  end_state            text NOT NULL,        -- complete, client_abort, upstream_error, gateway_error, unknown
  error_code           text,
  duration_ms          double precision,
  first_token_ms       double precision,
  added_ms             double precision,
  input_tokens         bigint,
  cached_input_tokens  bigint,
  output_tokens        bigint,
  reasoning_tokens     bigint,
  usage_source         text NOT NULL,        -- provider, counted, none
  cost_usd             numeric(20, 12),
  attempts             integer NOT NULL,
  record               jsonb NOT NULL        -- everything that is known of the call
) WITHOUT ROWID;

-- One row for each upstream call.
CREATE TABLE inference_attempts (
  request_id           text NOT NULL,
  number               integer NOT NULL,     -- from 1
  provider             text NOT NULL,
  upstream_model       text NOT NULL,
  status               integer NOT NULL,     -- 0: no answer
  end_state            text NOT NULL,
  failure              text,
  started_ms           double precision,     -- from the begin of the call
  first_token_ms       double precision,
  ended_ms             double precision,
  input_tokens         bigint,
  cached_input_tokens  bigint,
  output_tokens        bigint,
  reasoning_tokens     bigint,
  cost_usd             numeric(20, 12),
  PRIMARY KEY (request_id, number)
) WITHOUT ROWID;

-- Who did what.
CREATE TABLE audit_log (
  id       integer PRIMARY KEY,              -- PostgreSQL: bigint generated always as identity
  time     timestamptz NOT NULL,
  actor    text NOT NULL,
  action   text NOT NULL,
  subject  text NOT NULL,
  detail   jsonb NOT NULL DEFAULT '{}'
);
