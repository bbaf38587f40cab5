-- name: add_audit
INSERT INTO audit_log (time, actor, actor_key_id, actor_role, address, request_id, action, object, object_id, before,
                       after)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);

-- name: list_audit
SELECT id, time, actor, actor_key_id, actor_role, address, request_id, action, object, object_id, before, after
FROM audit_log
WHERE id < ?1
  AND (?2 IS NULL OR actor = ?2)
  AND (?3 IS NULL OR action = ?3)
  AND (?4 IS NULL OR object = ?4)
  AND (?5 IS NULL OR object_id = ?5)
  AND (?6 IS NULL OR time >= ?6)
  AND (?7 IS NULL OR time < ?7)
ORDER BY id DESC
LIMIT ?8;

-- name: remove_oldest_audit
DELETE FROM audit_log
WHERE time < ?1
  AND id IN (SELECT id FROM audit_log ORDER BY id LIMIT ?2);
