"""Segments and verdicts, which the persister fills."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from parley.db.schema.base import job_name, metadata

segments = Table(
    "segments",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("segment_id", UUID(as_uuid=False), primary_key=True),
    Column("conversation_id", Text, nullable=False),
    # The greatest revision that is known, sealed or retracted.
    Column("revision", BigInteger, nullable=False),
    Column("is_retracted", Boolean, nullable=False, server_default=text("false")),
    Column("merged_into", UUID(as_uuid=False)),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("message_count", Integer),
    Column("cause", Text),
    Column("channel", Text),
    comment="stretches of talk as they stand now; source: parley.seals.v1",
)
Index(
    "ix_segments_conversation",
    segments.c.tenant_id,
    segments.c.conversation_id,
    segments.c.started_at,
)

segment_revisions = Table(
    "segment_revisions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("segment_id", UUID(as_uuid=False), primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("previous_revision", BigInteger, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("first_event_id", UUID(as_uuid=False), nullable=False),
    Column("last_event_id", UUID(as_uuid=False), nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("member_digest", LargeBinary, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("last_offset", BigInteger, nullable=False),
    Column("incarnation", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("decided_offset", BigInteger, nullable=False),
    Column("watermark", DateTime(timezone=True), nullable=False),
    Column("policy_id", Text, nullable=False),
    Column("policy_version", BigInteger, nullable=False),
    Column("idle_gap", Interval, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("opening_event_id", UUID(as_uuid=False), nullable=False),
    Column("channel", Text, nullable=False),
    Column("participants", ARRAY(Text), nullable=False),
    Column("user_ids", ARRAY(Text), nullable=False),
    Column("cut_event_time", DateTime(timezone=True)),
    Column("cut_event_id", UUID(as_uuid=False)),
    Column("retracted", JSONB, nullable=False, comment="the segments that it swallowed"),
    Column("sealed_at", DateTime(timezone=True), nullable=False, comment="the seal's append time"),
    comment="every decision about a segment; source: parley.seals.v1",
)
Index(
    "ix_segment_revisions_conversation",
    segment_revisions.c.tenant_id,
    segment_revisions.c.conversation_id,
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    *job_name(is_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("member_digest", LargeBinary, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    Column("output_schema_version", Integer, nullable=False),
    Column("output", JSONB, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("backfill_run_id", UUID(as_uuid=False)),
    # Empty for passes that are code.
    Column("model", Text, nullable=False, server_default=text("''")),
    Column("prompt_digest", LargeBinary, nullable=False, server_default=text("''")),
    Column("input_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("output_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("cost_micro_usd", BigInteger, nullable=False, server_default=text("0")),
    Column("latency", Interval, nullable=False, server_default=text("'0'")),
    Column("is_from_memo", Boolean, nullable=False, server_default=text("false")),
    comment="results of passes; source: parley.analyses.v1",
)
Index("ix_verdicts_conversation", verdicts.c.tenant_id, verdicts.c.conversation_id)
