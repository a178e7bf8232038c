"""Backfills and how far they are: operational, so backed up and not rebuilt."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from parley.db.schema.base import OPERATIONS, metadata

backfill_runs = Table(
    "backfill_runs",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    # running, paused, cancelling, cancelled, finished, stopped
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("reason", Text, nullable=False, server_default=text("''"), comment="why it stands so"),
    Column("passes", JSONB, nullable=False, comment="versions, fingerprints, targets"),
    # Which segments are wanted; null leaves it open.
    Column("since", DateTime(timezone=True)),
    Column("until", DateTime(timezone=True)),
    Column("tenant_id", Text),
    Column("channel", Text),
    Column("conversation_id", Text),
    Column("job_limit", BigInteger),
    Column("is_newest_first", Boolean, nullable=False),
    Column("is_from_segments", Boolean, nullable=False),
    Column("rate", Float, comment="most jobs enqueued in a second"),
    Column("concurrency", Integer, nullable=False, comment="most jobs that wait for workers"),
    Column("budget_micro_usd", BigInteger),
    Column("topic", Text, comment="the seals topic's name when it began"),
    Column("enqueued_count", BigInteger, nullable=False, server_default=text("0")),
    # With a rate: when the next jobs may be enqueued.
    Column("paced_until", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("started_by", Text, nullable=False),
    Column("changed_by", Text, nullable=False, server_default=text("''")),
    Column("changed_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # When its ends were read, when its last job was enqueued, and when its last job ended.
    Column("prepared_at", DateTime(timezone=True)),
    Column("enqueued_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    schema=OPERATIONS,
    comment="passes run over segments of the past; operational: backed up, not rebuilt",
)

backfill_partitions = Table(
    "backfill_partitions",
    metadata,
    Column("run_id", UUID(as_uuid=False), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("incarnation", Text, nullable=False),
    Column("begin_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, nullable=False, comment="the log's end when the run began"),
    # Moved by compare-and-set, in the transaction that inserts the jobs. Newest first it goes down.
    Column("next_offset", BigInteger, nullable=False),
    Column("cursor", Text, comment="of stored segments: the last one that was passed"),
    Column("is_done", Boolean, nullable=False, server_default=text("false")),
    Column("lost_count", BigInteger, nullable=False, server_default=text("0")),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'")),
    Column("owner", UUID(as_uuid=False)),
    Column("leased_until", DateTime(timezone=True)),
    ForeignKeyConstraint(
        ["run_id"], ["operations.backfill_runs.id"], name="fk_backfill_partitions_run_id"
    ),
    schema=OPERATIONS,
    comment="how far a backfill is; operational: backed up, not rebuilt",
)
