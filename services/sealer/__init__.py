"""When a conversation has gone quiet."""
