-- name: add_audit
INSERT INTO audit_log (time, actor, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: list_audit
SELECT id, time, actor, action, subject, detail FROM audit_log WHERE id < ?1 ORDER BY id DESC LIMIT ?2;
