"""Tables that the persister fills from the config topic.

The topic is compacted, so it holds no history to replay: a rebuild beside the live tables leaves
these as they are, and an empty database is filled from what the topic says now.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from parley.db.schema.base import metadata


def _who_and_when() -> list[Column[object]]:
    return [
        Column("changed_by", Text, nullable=False),
        Column("changed_at", DateTime(timezone=True), nullable=False),
    ]


tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    *_who_and_when(),
    comment="who may have conversations here; source: parley.config.v1",
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("key_hash", LargeBinary, nullable=False, comment="SHA-256 of the key's secret"),
    Column("subject", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    *_who_and_when(),
    comment="keys by their hashes, revoked ones too; source: parley.config.v1",
)

retention = Table(
    "retention",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("keep_days", Integer, comment="null keeps for ever"),
    # It never moves back: what a database has deleted, another one filled anew deletes too.
    Column("cutoff", DateTime(timezone=True), comment="what was said before is deleted"),
    *_who_and_when(),
    comment="how long the tables keep what was said; source: parley.config.v1",
)

gap_policies = Table(
    "gap_policies",
    metadata,
    Column("tenant_id", Text, primary_key=True, comment="empty for every tenant"),
    Column("channel", Text, primary_key=True, comment="empty for every channel"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("policy_id", Text, nullable=False),
    Column("idle_gap", Interval, nullable=False),
    Column("grace", Interval, nullable=False),
    Column("seal_on_end", Boolean, nullable=False),
    Column("max_duration", Interval, nullable=False),
    Column("max_messages", Integer, nullable=False),
    Column("is_withdrawn", Boolean, nullable=False, comment="the version sets nothing"),
    *_who_and_when(),
    comment="every version of every gap policy; source: parley.config.v1",
)

pass_definitions = Table(
    "pass_definitions",
    metadata,
    Column("pass_name", Text, primary_key=True),
    Column("pass_version", BigInteger, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("definition", JSONB, nullable=False, comment="all of it, as it was applied"),
    *_who_and_when(),
    comment="every version of every pass; source: parley.config.v1",
)

pass_activations = Table(
    "pass_activations",
    metadata,
    Column("pass_name", Text, primary_key=True),
    Column("is_enabled", Boolean, nullable=False),
    Column("pass_version", BigInteger, nullable=False, comment="the latest of the versions"),
    # Each with the moment and, once it is known, the position in parley.seals.v1.
    Column("versions", JSONB, nullable=False, comment="versions that followed each other"),
    *_who_and_when(),
    comment="which version of a pass is in force, and since when; source: parley.config.v1",
)

pass_subscriptions = Table(
    "pass_subscriptions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("is_category", Boolean, primary_key=True),
    Column("target", Text, primary_key=True, comment="the name of a pass, or a category"),
    Column("is_enabled", Boolean, nullable=False),
    *_who_and_when(),
    comment="which passes a tenant wants and does not want; source: parley.config.v1",
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("webhook_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret_version", Integer, nullable=False),
    Column("secret_check", LargeBinary, nullable=False, comment="of the secret, not the secret"),
    Column("passes", ARRAY(Text), nullable=False),
    Column("categories", ARRAY(Text), nullable=False),
    Column("former_until", DateTime(timezone=True), comment="the secret before signs too"),
    Column("is_live_only", Boolean, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("is_removed", Boolean, nullable=False),
    *_who_and_when(),
    comment="who is told of verdicts, removed ones too; source: parley.config.v1",
)

TABLES: Final = (
    *(tenants, api_keys, retention, gap_policies),
    *(pass_definitions, pass_activations, pass_subscriptions, webhooks),
)
