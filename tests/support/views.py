"""What the tables say, without positions and times of arrival: equal runs have equal views."""

from typing import Any

CONVERSATIONS = """
SELECT tenant_id, conversation_id, user_id, title, channel, personality,
       first_event_at, last_event_at, metadata
  FROM conversations ORDER BY 1, 2
"""
SESSIONS = """
SELECT tenant_id, session_id, conversation_id, generation, user_id, started_at, ended_at,
       end_reason, duration_seconds, message_count, is_active, metadata
  FROM conversation_sessions ORDER BY 1, 2
"""
MESSAGES = """
SELECT tenant_id, id, conversation_id, session_id, user_id, sender, role, content, audio_url,
       metadata, language, utterance_id, occurred_at, event_time, content_version, import_id
  FROM conversation_messages ORDER BY 1, 2
"""
# The members by digest, so that two equal rows are equal segments.
SEGMENTS = """
SELECT s.tenant_id, s.segment_id, s.conversation_id, s.revision, s.started_at, s.ended_at,
       s.message_count, r.member_digest, r.first_event_id, r.last_event_id, r.cause
  FROM segments s JOIN segment_revisions r USING (tenant_id, segment_id, revision)
 WHERE NOT s.is_retracted ORDER BY 1, 2
"""
RETRACTED = """
SELECT tenant_id, segment_id, merged_into FROM segments WHERE is_retracted ORDER BY 1, 2
"""
VERDICTS = """
SELECT v.tenant_id, v.segment_id, v.revision, v.pass_name, v.pass_version, v.output,
       v.member_digest, v.content_digest
  FROM verdicts v ORDER BY 1, 2, 3, 4, 5
"""
ALL = {
    "conversations": CONVERSATIONS,
    "sessions": SESSIONS,
    "messages": MESSAGES,
    "segments": SEGMENTS,
    "retracted": RETRACTED,
    "verdicts": VERDICTS,
}


async def view(pool: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every compared table, as sorted tuples."""
    return {name: [tuple(row) for row in await pool.fetch(query)] for name, query in ALL.items()}


async def residue(pool: Any) -> int:
    """What the ledger cannot account for: consumed less everything that became of it."""
    found: int = await pool.fetchval(
        """
        SELECT coalesce(sum(abs(f.next_offset - coalesce(
                   l.stored + l.duplicate + l.dead_lettered + l.not_for_table, 0))), 0)
          FROM fences f LEFT JOIN ledger l USING (consumer, topic, partition)
         WHERE f.consumer LIKE 'persister%'
        """
    )
    return found
