-- name: put_request
INSERT INTO inference_logs (id, time, tenant, key_id, endpoint, model, provider, upstream_model, stream, cached, status,
                            end_state, error_code, duration_ms, first_token_ms, added_ms, input_tokens,
                            cached_input_tokens, output_tokens, reasoning_tokens, usage_source, cost_usd, attempts,
                            record)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)
ON CONFLICT DO NOTHING;

-- name: put_attempt
INSERT INTO inference_attempts (request_id, number, provider, upstream_model, status, end_state, failure, started_ms,
                                first_token_ms, ended_ms, input_tokens, cached_input_tokens, output_tokens,
                                reasoning_tokens, cost_usd)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT DO NOTHING;

-- name: find_request
SELECT record FROM inference_logs WHERE id = ?1;

-- name: list_requests
SELECT id, record
FROM inference_logs
WHERE id < ?1 AND id >= ?2
  AND (?3 IS NULL OR key_id = ?3)
  AND (?4 IS NULL OR model = ?4)
  AND (?5 IS NULL OR status BETWEEN ?5 AND ?6)
  AND (?7 IS NULL OR end_state = ?7)
  AND (?8 IS NULL OR tenant = ?8)
ORDER BY id DESC
LIMIT ?9;

-- name: usage
SELECT CASE WHEN ?3 THEN coalesce(key_id, '') END,
       CASE WHEN ?4 THEN model END,
       CASE WHEN ?5 THEN substr(time, 1, 10) END,
       CASE WHEN ?6 THEN coalesce(tenant, '') END,
       count(*),
       sum(end_state <> 'complete' OR status >= 400),
       sum(attempts),
       sum(cached),
       coalesce(sum(input_tokens), 0),
       coalesce(sum(cached_input_tokens), 0),
       coalesce(sum(output_tokens), 0),
       coalesce(sum(reasoning_tokens), 0),
       sum(CAST(round(cost_usd * 1e12) AS integer)),  -- whole picodollars: no sum of rounded numbers
       sum(cost_usd IS NULL AND attempts > 0)
FROM inference_logs
WHERE id >= ?1 AND id < ?2
  AND (?7 IS NULL OR key_id = ?7)
  AND (?8 IS NULL OR tenant = ?8)
  AND (?9 IS NULL OR model = ?9)
GROUP BY 1, 2, 3, 4
ORDER BY 3, 4, 1, 2;

-- name: oldest_requests
SELECT max(id) FROM (SELECT id FROM inference_logs WHERE id < ?1 ORDER BY id LIMIT ?2);

-- name: remove_requests
DELETE FROM inference_logs WHERE id <= ?1;

-- name: remove_attempts
DELETE FROM inference_attempts WHERE request_id <= ?1;
