-- Calls move from a row each into blocks of calls, which cost a thirtieth; the tables of before become views of the same
-- names and columns. `records` is an array of the arrays that src/store/call_form.hpp describes: -> and ->> take what
-- stands at a place. A text that is 0 and a number that is '' are absent.

CREATE TABLE inference_blocks (
  number    integer PRIMARY KEY,    -- PostgreSQL: bigint generated always as identity
  first_id  text NOT NULL,
  last_id   text NOT NULL,
  calls     integer NOT NULL,
  records   jsonb NOT NULL
);
CREATE INDEX inference_blocks_by_id ON inference_blocks (last_id, first_id);

INSERT INTO inference_blocks (first_id, last_id, calls, records)
SELECT l.id, l.id, 1, json_array(json_array(
         l.id,
         (SELECT json_group_array(json_array(a.provider || '/' || a.upstream_model, a.end_state, a.status,
                                             coalesce(a.failure, 0), 0, 0, coalesce(CAST(a.started_ms * 1000 AS integer), ''), '', '',
                                             coalesce(CAST(a.first_token_ms * 1000 AS integer), ''), coalesce(CAST(a.ended_ms * 1000 AS integer), '')))
            FROM inference_attempts AS a WHERE a.request_id = l.id),
         CAST(round((julianday(l.time) - 2440587.5) * 86400000) AS integer), l.endpoint, coalesce(l.tenant, 0),
         0, coalesce(l.key_id, 0), 0, '', 0, 0, l.model, '', coalesce(l.provider || '/' || l.upstream_model, ''), l.stream,
         l.status, l.end_state, coalesce(l.error_code, 0), 0, coalesce(CAST(l.first_token_ms * 1000 AS integer), ''),
         CAST(coalesce(l.duration_ms, 0) * 1000 AS integer), CAST(coalesce(l.added_ms, 0) * 1000 AS integer), '', 0, 0, coalesce(l.input_tokens, ''),
         coalesce(l.output_tokens, ''), coalesce(l.cached_input_tokens, ''), coalesce(l.reasoning_tokens, ''),
         l.usage_source, l.cost_usd))
  FROM inference_logs AS l;
DROP TABLE inference_logs;
DROP TABLE inference_attempts;

-- One row for each call. Ids sort by time.
CREATE VIEW inference_logs AS
SELECT r.value ->> 0 AS id,     -- the response's x-weir-request-id
       strftime('%Y-%m-%dT%H:%M:%fZ', (r.value ->> 2) / 1000.0, 'unixepoch') AS time,
       nullif(r.value ->> 4, 0) AS tenant,
       nullif(r.value ->> 5, 0) AS "user",
       nullif(r.value ->> 6, 0) AS key_id,
       nullif(r.value ->> 7, 0) AS key,  -- its label
       r.value ->> 3 AS endpoint,
       r.value ->> 11 AS model,  -- as the caller named it
       nullif(substr(r.value ->> 13, 1, instr(r.value ->> 13, '/') - 1), '') AS provider,  -- of the target that answered
       nullif(substr(r.value ->> 13, instr(r.value ->> 13, '/') + 1), '') AS upstream_model,
       r.value ->> 14 AS stream,
       0 AS cached,
       coalesce(r.value ->> 15, 0) AS status,   -- 0: the caller left before
       r.value ->> 16 AS end_state,  -- complete, client_abort, upstream_error, gateway_error, unknown
       nullif(r.value ->> 17, 0) AS error_code,
       (r.value ->> 20) / 1000.0 AS duration_ms,
       nullif(r.value ->> 19, '') / 1000.0 AS first_token_ms,
       (r.value ->> 21) / 1000.0 AS added_ms,
       nullif(r.value ->> 25, '') AS input_tokens,
       nullif(r.value ->> 27, '') AS cached_input_tokens,
       nullif(r.value ->> 26, '') AS output_tokens,
       nullif(r.value ->> 28, '') AS reasoning_tokens,
       coalesce(r.value ->> 29, '') AS usage_source,  -- provider, counted, none
       r.value ->> 30 AS cost_usd,
       json_array_length(r.value, '$[1]') AS attempts,
       nullif(r.value ->> 9, 0) AS client_request_id,
       r.value AS record
FROM inference_blocks AS b, json_each(b.records) AS r;

-- One row for each upstream call.
CREATE VIEW inference_attempts AS
SELECT r.value ->> 0 AS request_id,
       a.key + 1 AS number,    -- from 1
       nullif(substr(a.value ->> 0, 1, instr(a.value ->> 0, '/') - 1), '') AS provider,
       nullif(substr(a.value ->> 0, instr(a.value ->> 0, '/') + 1), '') AS upstream_model,
       coalesce(a.value ->> 2, 0) AS status,  -- 0: no answer
       a.value ->> 1 AS end_state,
       nullif(a.value ->> 3, 0) AS failure,
       nullif(a.value ->> 6, '') / 1000.0 AS started_ms,  -- from the begin of the call
       nullif(a.value ->> 9, '') / 1000.0 AS first_token_ms,
       nullif(a.value ->> 10, '') / 1000.0 AS ended_ms,
       nullif(a.value ->> 15, '') AS input_tokens,
       nullif(a.value ->> 17, '') AS cached_input_tokens,
       nullif(a.value ->> 16, '') AS output_tokens,
       nullif(a.value ->> 18, '') AS reasoning_tokens,
       a.value ->> 19 AS cost_usd
FROM inference_blocks AS b, json_each(b.records) AS r, json_each(r.value, '$[1]') AS a;
