-- Calls stand in blocks (0003_blocks_of_calls.sql). Blocks overlap: a call is put when it ends, and its id is from when
-- it began.

-- name: put_block
INSERT INTO inference_blocks (first_id, last_id, calls, records) VALUES (?1, ?2, ?3, ?4);

-- name: blocks_around
SELECT records FROM inference_blocks WHERE last_id >= ?1 AND first_id <= ?1 ORDER BY last_id;

-- name: blocks_before
SELECT records, last_id FROM inference_blocks WHERE last_id >= ?2 AND first_id < ?1 ORDER BY last_id DESC;

-- name: oldest_blocks
SELECT last_id, calls FROM inference_blocks WHERE last_id < ?1 ORDER BY last_id;

-- name: remove_blocks
DELETE FROM inference_blocks WHERE last_id <= ?1;
