"""PostgreSQL: COPY into temporary tables, then one merge a table, in the order of the locks.

The order everywhere: fence, conversation_events, conversations, conversation_sessions,
conversation_messages, message_versions, segment_revisions, segments, verdicts, dead_letters,
ledger, outbox.
"""
