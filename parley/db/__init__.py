"""PostgreSQL: the schema, the fence, the outbox, and how to connect."""
