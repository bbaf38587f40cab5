-- An expiry is given back in the words in which it was set; null: nobody's.
ALTER TABLE api_keys ADD COLUMN expires_at_written text;

-- Attempts tell where their counts come from and what they were charged as.
DROP VIEW inference_attempts;
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
       a.value ->> 19 AS cost_usd,
       -- provider, counted, estimated, none; what is kept names only the middle two
       coalesce(nullif(a.value ->> 29, 0),
                CASE WHEN coalesce(nullif(a.value ->> 15, ''), nullif(a.value ->> 16, '')) IS NULL
                     THEN 'none' ELSE 'provider' END) AS usage_source,
       nullif(a.value ->> 30, 0) AS tier,          -- of service: flex, priority, batch; null: none of them
       nullif(a.value ->> 20, 0) AS price,         -- the entry by which the cost was found
       nullif(a.value ->> 24, 0) AS cause,         -- of the failure
       nullif(a.value ->> 25, 0) AS key            -- the label of the provider's key
FROM inference_blocks AS b, json_each(b.records) AS r, json_each(r.value, '$[1]') AS a;
