"""The analyzer's own: jobs, what their calls cost, answers that are paid for, suspended passes."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from parley.db.schema.base import OPERATIONS, job_name, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    *job_name(is_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    # Of the seals topic: the relay of this partition publishes the job's end.
    Column("source_partition", Integer, nullable=False),
    # Of the events topic: the job waits until the persister has passed this offset.
    Column("incarnation", Text, nullable=False),
    Column("events_partition", Integer, nullable=False),
    Column("decided_offset", BigInteger, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("first_event_id", UUID(as_uuid=False), nullable=False),
    Column("last_event_id", UUID(as_uuid=False), nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("member_digest", LargeBinary, nullable=False),
    Column("trigger", Text, nullable=False),
    # 0 is the live lane, 1 that of backfills.
    Column("lane", SmallInteger, nullable=False, server_default=text("0")),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("backfill_run_id", UUID(as_uuid=False)),
    Column("traceparent", Text, comment="whose span made the job, where traces are sent"),
    Column("sealed_at", DateTime(timezone=True), nullable=False, comment="the seal's append time"),
    # open, claimed, verdict, failed, superseded, cancelled, parked
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("attempt_count", Integer, nullable=False, server_default=text("0")),
    # Attempts that raised; the others ended with their worker.
    Column("failure_count", Integer, nullable=False, server_default=text("0")),
    Column("lease_token", UUID(as_uuid=False)),
    # When the job may be claimed: of a claimed one, when its lease runs out.
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Attempts that do not count: the provider was away, or the budget was spent.
    Column("released_count", Integer, nullable=False, server_default=text("0")),
    # How often it was reopened: an end of an earlier generation ends it no more.
    Column("generation", Integer, nullable=False, server_default=text("0")),
    # Of one that was parked by a budget: what its next call may cost at most.
    Column("estimated_micro_usd", BigInteger),
    # The beginning of what a model said that was no valid answer.
    Column("raw_answer", Text),
    schema=OPERATIONS,
    comment="passes to run; operational: backed up, not rebuilt",
)
# Each claim asks for the first jobs of each of its passes, so that what waits of others costs
# nothing.
Index(
    "ix_jobs_waiting",
    jobs.c.fingerprint,
    jobs.c.lane,
    jobs.c.priority.desc(),
    jobs.c.due_at,
    jobs.c.segment_id,
    postgresql_where=jobs.c.state.in_(("open", "claimed")),
)
Index(
    "ix_jobs_unfinished",
    jobs.c.state,
    jobs.c.lane,
    postgresql_where=jobs.c.state.in_(("open", "claimed", "parked")),
)
# What is parked is looked through for what may go on: by a budget, or once there is a provider.
Index(
    "ix_jobs_parked",
    jobs.c.reason,
    jobs.c.lane,
    jobs.c.due_at,
    postgresql_where=jobs.c.state == "parked",
)
Index(
    "ix_jobs_backfill",
    jobs.c.backfill_run_id,
    jobs.c.state,
    postgresql_where=jobs.c.backfill_run_id.is_not(None),
)
Index("ix_jobs_conversation", jobs.c.tenant_id, jobs.c.conversation_id)

job_histories = Table(
    "job_histories",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    *job_name(is_key=True),
    # As those of a job.
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("failure_count", Integer, nullable=False),
    Column("released_count", Integer, nullable=False),
    schema=OPERATIONS,
    comment="what parley.analyses.v1 says of jobs that are not there yet: no end is forgotten",
)

charges = Table(
    "charges",
    metadata,
    Column("reservation_id", UUID(as_uuid=False), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    *job_name(),
    Column("utc_day", Date, nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("backfill_run_id", UUID(as_uuid=False)),
    Column("estimated_micro_usd", BigInteger, nullable=False),
    # Until it is known the estimate counts as spent.
    Column("actual_micro_usd", BigInteger),
    schema=OPERATIONS,
    comment="money reserved for calls of models, written before each; source: parley.analyses.v1",
)
Index("ix_charges_day", charges.c.tenant_id, charges.c.pass_name, charges.c.utc_day)

budget_days = Table(
    "budget_days",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("pass_name", Text, primary_key=True),
    Column("utc_day", Date, primary_key=True),
    Column("live_micro_usd", BigInteger, nullable=False),
    Column("backfill_micro_usd", BigInteger, nullable=False),
    schema=OPERATIONS,
    comment="the sums of the charges by tenant, pass and UTC day",
)

run_spend = Table(
    "run_spend",
    metadata,
    Column("backfill_run_id", UUID(as_uuid=False), primary_key=True),
    Column("spent_micro_usd", BigInteger, nullable=False),
    schema=OPERATIONS,
    comment="the sums of the charges by backfill",
)

memo = Table(
    "memo",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    # sha256 over the tenant, the content digest and the pass's fingerprint.
    Column("memo_key", LargeBinary, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("output_json", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_digest", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    schema=OPERATIONS,
    comment="answers that are paid for, by content and fingerprint; source: parley.analyses.v1",
)

suspensions = Table(
    "suspensions",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("pass_name", Text, nullable=False),
    Column("pass_version", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("suspended_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    schema=OPERATIONS,
    comment="passes of which no job can succeed as things are set: none is claimed",
)

foreign_passes = Table(
    "foreign_passes",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("pass_name", Text, nullable=False),
    Column("pass_version", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    schema=OPERATIONS,
    comment="passes in force that an analyzer does not have as they were applied, while it runs",
)
