"""Tables that the persister fills from the events topic: rebuilt from it, and compared."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from parley.db.schema.base import metadata


def _version_of(field: str) -> Column[str]:
    """Which event a fact came from: the greater text wins, compared byte by byte."""
    return Column(f"{field}_version", Text(collation="C"), nullable=False, server_default="")


conversations = Table(
    "conversations",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("conversation_id", Text, primary_key=True),
    Column("first_event_at", DateTime(timezone=True), nullable=False),
    Column("last_event_at", DateTime(timezone=True), nullable=False),
    _version_of("user"),
    Column("user_id", Text),
    _version_of("channel"),
    Column("channel", Text),
    _version_of("title"),
    Column("title", Text),
    _version_of("personality"),
    Column("personality", Text),
    _version_of("metadata"),
    Column("metadata", JSONB),
    # The fold of the conversation's requests in log order, and where its last one lies.
    Column("state", Text, nullable=False, server_default=text("'idle'")),
    Column(
        "state_judged",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="event ids of the last requests: a copy of one decides nothing anew",
    ),
    Column("state_incarnation", Text),
    Column("state_offset", BigInteger),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="threads of talk; source: parley.events.v1",
)
Index(
    "ix_conversations_recent",
    conversations.c.tenant_id,
    conversations.c.last_event_at.desc(),
    conversations.c.conversation_id,
)
Index(
    "ix_conversations_user",
    conversations.c.tenant_id,
    conversations.c.user_id,
    conversations.c.last_event_at.desc(),
)

conversation_sessions = Table(
    "conversation_sessions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    # A session's id counts within its conversation: whoever writes could name any.
    Column("conversation_id", Text, primary_key=True),
    Column(
        "id",
        UUID(as_uuid=False),
        Computed("md5(md5(conversation_id) || session_id)::uuid", persisted=True),
        comment="unique with the tenant, for tools that want a UUID",
    ),
    # 0 is a stub: a message named the session before its start was read.
    Column("generation", BigInteger, nullable=False, server_default=text("0")),
    Column("started_at", DateTime(timezone=True)),
    Column("last_event_at", DateTime(timezone=True), nullable=False),
    _version_of("user"),
    Column("user_id", Text),
    _version_of("channel"),
    Column("channel", Text),
    _version_of("connection"),
    Column("client_ip", Text),
    Column("user_agent", Text),
    # Generation first, then stub < open < ended: an end loses to a later generation.
    _version_of("status"),
    Column("ended_at", DateTime(timezone=True)),
    Column("end_reason", Text),
    Column(
        "duration_seconds",
        BigInteger,
        # A client's clock may put the end before the start; while either is missing there is none.
        Computed(
            "CASE WHEN ended_at IS NOT NULL AND started_at IS NOT NULL"
            " THEN greatest(0, extract(epoch FROM ended_at - started_at)::bigint)"
            " ELSE NULL::bigint END",
            persisted=True,
        ),
    ),
    Column("message_count", Integer, nullable=False, server_default=text("0")),
    Column(
        "is_active",
        Boolean,
        Computed("generation > 0 AND ended_at IS NULL", persisted=True),
    ),
    _version_of("metadata"),
    Column("metadata", JSONB),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Every batch writes its sessions again: room on the page spares their indexes.
    postgresql_with={"fillfactor": 60},
    comment="explicit starts and ends within a conversation; source: parley.events.v1",
)
Index(
    "ix_conversation_sessions_active",
    conversation_sessions.c.started_at,
    postgresql_where=conversation_sessions.c.is_active,
)
Index(
    "ix_conversation_sessions_ended",
    conversation_sessions.c.ended_at,
    postgresql_where=conversation_sessions.c.ended_at.is_not(None),
)
Index(
    "ix_conversation_sessions_conversation",
    conversation_sessions.c.tenant_id,
    conversation_sessions.c.conversation_id,
)

conversation_messages = Table(
    "conversation_messages",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", UUID(as_uuid=False), primary_key=True, comment="the event id"),
    Column("conversation_id", Text, nullable=False),
    Column("session_id", Text),
    Column("user_id", Text),
    # The event named no user: the session's is shown, and follows it.
    Column("is_user_inherited", Boolean, nullable=False),
    Column("sender", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("audio_url", Text),
    Column("metadata", JSONB),
    # The exact text, since JSONB reorders keys: digests are over what was said.
    Column("metadata_text", Text, nullable=False, server_default=text("''")),
    Column("language", Text),
    Column("utterance_id", Text),
    Column("occurred_at", DateTime(timezone=True)),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("content_version", UUID(as_uuid=False), comment="the winning revision's event id"),
    Column("import_id", Text),
    Column("incarnation", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Both are filled from the same record, in the same transaction.
    ForeignKeyConstraint(
        ["tenant_id", "session_id", "conversation_id"],
        [
            "conversation_sessions.tenant_id",
            "conversation_sessions.session_id",
            "conversation_sessions.conversation_id",
        ],
        name="fk_conversation_messages_session",
    ),
    comment="final utterances; source: parley.events.v1",
)
Index(
    "ix_conversation_messages_order",
    conversation_messages.c.tenant_id,
    conversation_messages.c.conversation_id,
    conversation_messages.c.event_time,
    conversation_messages.c.id,
)
Index(
    "ix_conversation_messages_nameless",
    conversation_messages.c.tenant_id,
    conversation_messages.c.session_id,
    postgresql_where=conversation_messages.c.is_user_inherited,
)
Index(
    "ix_conversation_messages_session",
    conversation_messages.c.tenant_id,
    conversation_messages.c.session_id,
)

message_versions = Table(
    "message_versions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("message_id", UUID(as_uuid=False), primary_key=True),
    # The recorded message itself is the version with its own id.
    Column("version_id", UUID(as_uuid=False), primary_key=True),
    # A revision counts only for a message of its own conversation.
    Column("conversation_id", Text, nullable=False),
    # recorded, interrupted, corrected: any revision outranks what was recorded.
    Column("kind", Text, nullable=False),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("content", Text, nullable=False),
    Column("audio_url", Text),
    Column("metadata_text", Text, nullable=False, server_default=text("''")),
    Column("incarnation", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    comment="contents of messages that were revised, the first one included; "
    "source: parley.events.v1",
)

conversation_events = Table(
    "conversation_events",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("event_id", UUID(as_uuid=False), primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("incarnation", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("append_time", DateTime(timezone=True), nullable=False),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("is_granted", Boolean, comment="whether the fold granted it; null for no request"),
    Column("value", LargeBinary, nullable=False, comment="the record's bytes"),
    comment="every event once, at its lowest position; source: parley.events.v1",
)
Index(
    "ix_conversation_events_order",
    conversation_events.c.tenant_id,
    conversation_events.c.conversation_id,
    conversation_events.c.partition,
    conversation_events.c.log_offset,
)

user_preferences = Table(
    "user_preferences",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("version", Text(collation="C"), nullable=False),
    Column("personality", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("voice", Text, nullable=False),
    Column("free", JSONB),
    Column("updated_at", DateTime(timezone=True), nullable=False, comment="the event time"),
    comment="what a user prefers, whole: the latest statement; source: parley.events.v1",
)
