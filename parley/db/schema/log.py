"""Tables of the log's consumers: fences, outbox, dead letters and the ledger.

Rebuilt with the log, but not compared: they say how far this database has read.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from parley.db.schema.base import metadata

fences = Table(
    "fences",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("incarnation", Text, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("owner_epoch", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
    # While tables are swapped: nobody claims it or moves it. Whoever swaps them renews it, so a
    # swap that was killed holds nobody up.
    Column("held_until", DateTime(timezone=True)),
    Column("last_append_time", DateTime(timezone=True)),
    Column("last_checksum", BigInteger),
    Column("stopped_reason", Text),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="who owns a consumer's offset: the next record that its tables do not hold yet",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("source_topic", Text, nullable=False),
    Column("source_partition", Integer, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, comment="the one to publish to; null means by key"),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", JSONB, nullable=False, comment="[name, base64 of the value] pairs"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("published_at", DateTime(timezone=True)),
    comment="records that must follow a commit; a relay publishes and marks them",
)
Index(
    "ix_outbox_unpublished",
    outbox.c.consumer,
    outbox.c.source_topic,
    outbox.c.source_partition,
    outbox.c.id,
    postgresql_where=outbox.c.published_at.is_(None),
)
Index("ix_outbox_published", outbox.c.published_at)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("service", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("incarnation", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("append_time", DateTime(timezone=True), nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", JSONB, nullable=False, comment="[name, base64 of the value] pairs"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # What people did about it; both may be null, and a redriven one may be redriven again.
    Column("redriven_at", DateTime(timezone=True)),
    Column("redriven_by", Text),
    Column("redriven_incarnation", Text),
    Column("redriven_partition", Integer),
    Column("redriven_offset", BigInteger, comment="where the new record lies"),
    Column("discarded_at", DateTime(timezone=True)),
    Column("discarded_by", Text),
    Column("discarded_why", Text),
    UniqueConstraint("service", "topic", "incarnation", "partition", "log_offset"),
    comment="records that could not be used, whole, with the reason",
)
Index(
    "ix_dead_letters_discarded",
    dead_letters.c.discarded_at,
    postgresql_where=dead_letters.c.discarded_at.is_not(None),
)

ledger = Table(
    "ledger",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("incarnation", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("stored", BigInteger, nullable=False, server_default=text("0")),
    Column("duplicate", BigInteger, nullable=False, server_default=text("0")),
    Column("dead_lettered", BigInteger, nullable=False, server_default=text("0")),
    Column("not_for_table", BigInteger, nullable=False, server_default=text("0")),
    comment="what became of every record below the fence; the four sum up to it",
)

ledger_minutes = Table(
    "ledger_minutes",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("incarnation", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("began_at", DateTime(timezone=True), primary_key=True),
    Column("stored", BigInteger, nullable=False, server_default=text("0")),
    Column("duplicate", BigInteger, nullable=False, server_default=text("0")),
    Column("dead_lettered", BigInteger, nullable=False, server_default=text("0")),
    Column("not_for_table", BigInteger, nullable=False, server_default=text("0")),
    comment="the ledger by the minute in which the broker appended the records; whole hours "
    "where it is long ago",
)
Index("ix_ledger_minutes_began_at", ledger_minutes.c.began_at)
