"""Rows in every table that people read, put there without a log."""

from string import Template
from typing import Any, Final

NOW: Final = "2026-01-01T00:00:00Z"


async def fill(pool: Any) -> None:
    """For two tenants, the same ids: Ada and Bob, each with one row in every table."""
    for tenant in ("acme", "other"):
        for number, user in enumerate(("ada", "bob"), 1):
            names = {"TENANT": tenant, "USER": user, "N": str(number), "NOW": NOW}
            await pool.execute(Template(FILL).substitute(names))


FILL: Final = """
INSERT INTO conversations (tenant_id, conversation_id, user_id, first_event_at, last_event_at)
VALUES ('$TENANT', 'of $USER', '$USER', '$NOW', '$NOW');
INSERT INTO conversation_sessions (tenant_id, session_id, conversation_id, user_id, generation,
                                   started_at, ended_at, last_event_at)
VALUES ('$TENANT', 's$N', 'of $USER', '$USER', 1, '$NOW', '$NOW', '$NOW');
INSERT INTO conversation_messages (tenant_id, id, conversation_id, user_id, is_user_inherited,
                                   sender, role, content, event_time, received_at, incarnation,
                                   partition, log_offset)
VALUES ('$TENANT', md5('$USER')::uuid, 'of $USER', '$USER', false, '', 'user', '$USER says',
        '$NOW', '$NOW', 'i', 0, $N);
INSERT INTO message_versions (tenant_id, message_id, version_id, conversation_id, kind, event_time,
                              content, incarnation, partition, log_offset)
VALUES ('$TENANT', md5('$USER')::uuid, md5('v')::uuid, 'of $USER', 'corrected', '$NOW', 'x', 'i',
        0, $N);
INSERT INTO conversation_events (tenant_id, event_id, conversation_id, kind,
                                 incarnation, partition, log_offset, append_time, event_time, value)
VALUES ('$TENANT', md5('$USER')::uuid, 'of $USER', 'message_recorded', 'i', 0, $N, '$NOW',
        '$NOW', '');
INSERT INTO user_preferences (tenant_id, user_id, version, personality, language, voice, updated_at)
VALUES ('$TENANT', '$USER', '', '', '', '', '$NOW');
INSERT INTO segments (tenant_id, segment_id, conversation_id, revision)
VALUES ('$TENANT', md5('$USER')::uuid, 'of $USER', 1);
INSERT INTO segment_revisions
VALUES ('$TENANT', md5('$USER')::uuid, 1, 0, 'of $USER', 'gap', '$NOW', '$NOW', md5('')::uuid,
        md5('')::uuid, 1, '', 0, 0, 'i', 0, 0, '$NOW', 'p', 1, '90min', 1, md5('')::uuid, '',
        '{}', '{}', NULL, NULL, '[]', '$NOW');
INSERT INTO verdicts
VALUES ('$TENANT', md5('$USER')::uuid, 1, 'p', 1, 'of $USER', '', '', '', 1, '{}', '', 1,
        '$NOW', '$NOW', '');
"""
