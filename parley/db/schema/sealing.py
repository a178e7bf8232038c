"""The sealer's own tables: a cache of the log, written and read by nobody else.

Rebuilt with the log, but not compared. What a statement looks for has a column; the rest of a
segment is JSON in `rest`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from parley.db.schema.base import metadata


def _segment_columns() -> list[Column[object]]:
    return [
        Column("tenant_id", Text(collation="C"), primary_key=True),
        Column("conversation_id", Text(collation="C"), primary_key=True),
        Column("segment_id", UUID(as_uuid=False), primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("opening_event_id", UUID(as_uuid=False), nullable=False),
        Column("revision", BigInteger, nullable=False),
        # 0 while no revision is published and valid.
        Column("current_revision", BigInteger, nullable=False),
        Column("first_time", DateTime(timezone=True), nullable=False),
        Column("first_event_id", UUID(as_uuid=False), nullable=False),
        Column("last_time", DateTime(timezone=True), nullable=False),
        Column("last_event_id", UUID(as_uuid=False), nullable=False),
        Column("reach", DateTime(timezone=True), nullable=False),
        Column("deadline", DateTime(timezone=True)),
        Column("message_count", Integer, nullable=False),
        Column("rest", JSONB, nullable=False),
    ]


sealer_windows = Table(
    "sealer_windows",
    metadata,
    *_segment_columns(),
    comment="segments that are open; the sealer's own",
)
Index("ix_sealer_windows_partition", sealer_windows.c.partition)
# For people: which close first.
Index("ix_sealer_windows_deadline", sealer_windows.c.deadline)

sealer_segments = Table(
    "sealer_segments",
    metadata,
    *_segment_columns(),
    comment="segments as they were last closed; the sealer's own",
)
Index(
    "ix_sealer_segments_order",
    sealer_segments.c.tenant_id,
    sealer_segments.c.conversation_id,
    sealer_segments.c.first_time,
)

sealer_members = Table(
    "sealer_members",
    metadata,
    Column("tenant_id", Text(collation="C"), primary_key=True),
    Column("conversation_id", Text(collation="C"), primary_key=True),
    Column("event_id", UUID(as_uuid=False), primary_key=True),
    # All zeros for ids that are known and belong to no segment.
    Column("segment_id", UUID(as_uuid=False), nullable=False),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("target", UUID(as_uuid=False), comment="of a revision: the message that it revises"),
    comment="every id that the sealer knows, with its segment; the sealer's own",
)
Index(
    "ix_sealer_members_segment",
    sealer_members.c.tenant_id,
    sealer_members.c.conversation_id,
    sealer_members.c.segment_id,
)

# For the rare RecordRejected, which names a place and no conversation.
Index(
    "ix_sealer_members_offset",
    sealer_members.c.log_offset,
    postgresql_using="brin",
)

sealer_cuts = Table(
    "sealer_cuts",
    metadata,
    Column("tenant_id", Text(collation="C"), primary_key=True),
    Column("conversation_id", Text(collation="C"), primary_key=True),
    Column("event_time", DateTime(timezone=True), primary_key=True),
    Column("event_id", UUID(as_uuid=False), primary_key=True),
    comment="places that no segment crosses; the sealer's own",
)

sealer_sessions = Table(
    "sealer_sessions",
    metadata,
    Column("tenant_id", Text(collation="C"), primary_key=True),
    Column("conversation_id", Text(collation="C"), primary_key=True),
    Column("session_id", Text(collation="C"), primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("has_settled", Boolean, nullable=False),
    Column("is_imported", Boolean, nullable=False),
    Column("last_event_time", DateTime(timezone=True), nullable=False),
    Column("last_arrival", DateTime(timezone=True), nullable=False),
    comment="sessions as the sealer sees them; the sealer's own",
)
Index(
    "ix_sealer_sessions_open",
    sealer_sessions.c.partition,
    postgresql_where=sealer_sessions.c.is_open,
)

sealer_partitions = Table(
    "sealer_partitions",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("watermark", DateTime(timezone=True)),
    Column("rule_version", Integer, nullable=False),
    Column("imports", JSONB, nullable=False, server_default=text("'[]'")),
    # So that a person learns who would stop before a rule is activated.
    Column(
        "known_rules",
        ARRAY(Integer),
        nullable=False,
        server_default=text("'{}'"),
        comment="the versions that its worker knows",
    ),
    comment="each partition's time, rule and imports under way; the sealer's own",
)
