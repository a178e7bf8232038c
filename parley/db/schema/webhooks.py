"""What is sent to webhooks, and what became of it: the analyzer's own, and never any content."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from parley.db.schema.base import OPERATIONS, job_name, metadata

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    # Of the webhook and the verdict: the same for every attempt, and after a restore.
    Column("delivery_id", UUID(as_uuid=False), primary_key=True),
    # The order in which those of a conversation go out.
    Column("number", BigInteger, Identity(always=True), nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    *job_name(),
    # Of the analyses topic: it waits until the persister has passed this offset.
    Column("incarnation", Text, nullable=False),
    Column("analyses_partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    # open, claimed, delivered, failed, cancelled, gone
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("reason", Text, nullable=False, server_default=text("''")),
    # Since it was last begun: a redelivery begins anew.
    Column("attempt_count", Integer, nullable=False, server_default=text("0")),
    Column("lease_token", UUID(as_uuid=False)),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ended_at", DateTime(timezone=True)),
    schema=OPERATIONS,
    comment="verdicts to tell webhooks of; operational: backed up, not rebuilt",
)
_IS_WAITING = webhook_deliveries.c.state.in_(("open", "claimed"))
Index(
    "ix_webhook_deliveries_due",
    webhook_deliveries.c.tenant_id,
    webhook_deliveries.c.webhook_id,
    webhook_deliveries.c.due_at,
    postgresql_where=_IS_WAITING,
)
Index(
    "ix_webhook_deliveries_order",
    webhook_deliveries.c.tenant_id,
    webhook_deliveries.c.webhook_id,
    webhook_deliveries.c.conversation_id,
    webhook_deliveries.c.number,
    postgresql_where=_IS_WAITING,
)
# For people, and for those that are forgotten after a while.
Index(
    "ix_webhook_deliveries_newest",
    webhook_deliveries.c.tenant_id,
    webhook_deliveries.c.webhook_id,
    webhook_deliveries.c.number,
)
Index("ix_webhook_deliveries_ended", webhook_deliveries.c.ended_at)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("delivery_id", UUID(as_uuid=False), primary_key=True),
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("webhook_id", Text, nullable=False),
    Column("attempted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("status", Integer, comment="what the receiver answered, where it did"),
    Column("problem", Text, nullable=False, comment="empty where it took it"),
    Column("latency", Interval, nullable=False),
    schema=OPERATIONS,
    comment="every request to a webhook, without content; operational: backed up, not rebuilt",
)
Index("ix_webhook_attempts_attempted_at", webhook_attempts.c.attempted_at)

webhook_states = Table(
    "webhook_states",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("webhook_id", Text, primary_key=True),
    # Failures in a row, since when, and until when the receiver is left alone.
    Column("failure_count", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", DateTime(timezone=True)),
    Column("rests_until", DateTime(timezone=True)),
    Column("last_success_at", DateTime(timezone=True)),
    Column("disabled_at", DateTime(timezone=True), comment="by its failures; null while it is not"),
    Column("disabled_reason", Text),
    schema=OPERATIONS,
    comment="how a webhook's receiver is doing; operational: backed up, not rebuilt",
)

webhook_starts = Table(
    "webhook_starts",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("first_offset", BigInteger, nullable=False),
    schema=OPERATIONS,
    comment="of the analyses topic: what lies before is told to nobody; operational: backed up, "
    "not rebuilt",
)
