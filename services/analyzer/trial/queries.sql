-- What a trial asks of the tables.

-- name: segment_revision
-- One revision of a segment, the latest where $3 is null.
SELECT revision.*, segment.is_retracted AND segment.revision >= revision.revision AS is_retracted
  FROM segment_revisions AS revision
  JOIN segments AS segment USING (tenant_id, segment_id)
 WHERE revision.tenant_id = $1 AND revision.segment_id = $2
   AND revision.revision = coalesce($3, revision.revision)
 ORDER BY revision.revision DESC
 LIMIT 1

-- name: next_offset
-- Up to where the persister has stored a partition of the events topic.
SELECT next_offset FROM fences
 WHERE consumer = 'persister' AND topic = $1 AND partition = $2 AND incarnation = $3
