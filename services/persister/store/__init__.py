"""PostgreSQL: COPY of what is new, and of the rest into temporary tables; then one merge a table.

The order of the locks everywhere: fence, conversation_events, user_preferences, conversations,
conversation_sessions, conversation_messages, message_versions, segment_revisions, segments,
verdicts, dead_letters, ledger, outbox. The states come last, on rows of conversations and
conversation_events that only the holder of the fence touches.
"""
