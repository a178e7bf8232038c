"""Tables of those who use SQL: who they are, and what they write. No log can fill them again."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import UUID

from parley.db.schema.base import OPERATIONS, metadata

logins = Table(
    "logins",
    metadata,
    Column("login", Text, primary_key=True, comment="the role that it connects as"),
    Column("tenant_id", Text, comment="null: the one that it says in parley.tenant_id"),
    Column("user_id", Text, comment="null: every user, or the one it says in parley.user_id"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("tenant_id IS NOT NULL OR user_id IS NULL", name="user_has_tenant"),
    schema=OPERATIONS,
    comment="whose rows a login of the database sees; operational: backed up, not rebuilt",
)

inbox = Table(
    "inbox",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("event_id", UUID(as_uuid=False), primary_key=True),
    # The order in which the relay publishes.
    Column("id", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("conversation_id", Text, nullable=False),
    Column("session_id", Text),
    Column("user_id", Text),
    Column("sender", Text, nullable=False, comment="the login, as sql:name"),
    Column("client_message_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("audio_url", Text),
    # The exact text that the event will carry.
    Column("metadata_text", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True)),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("published_at", DateTime(timezone=True)),
    Column("refused_at", DateTime(timezone=True)),
    Column("refused_reason", Text, comment="why it can never be published"),
    schema=OPERATIONS,
    comment="messages that were written with SQL, on their way into parley.events.v1; "
    "operational: backed up, not rebuilt",
)
Index(
    "ix_inbox_waiting",
    inbox.c.id,
    postgresql_where=inbox.c.published_at.is_(None) & inbox.c.refused_at.is_(None),
)
Index(
    "ix_inbox_refused",
    inbox.c.refused_at,
    postgresql_where=inbox.c.refused_at.is_not(None),
)
Index("ix_inbox_published", inbox.c.published_at)
