"""The latest figures of the live view. They are of this moment: nothing is lost with them."""

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text, func, text

from parley.db.schema.base import OPERATIONS, metadata

# No write-ahead log for what is written anew every two seconds; a crash of the server empties it.
_UNLOGGED: Final[Any] = ["UNLOGGED"]

activity_partitions = Table(
    "activity_partitions",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("partition_count", Integer, nullable=False, comment="how many the topic has"),
    Column("worker", Text, nullable=False, comment="the process that measured it"),
    Column("behind_records", BigInteger, nullable=False, comment="what it had not read yet"),
    Column("is_capped", Boolean, nullable=False, server_default=text("false")),
    Column("measured_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    schema=OPERATIONS,
    prefixes=_UNLOGGED,
    comment="when each partition's figures were measured last; operational: neither backed up "
    "nor rebuilt",
)

activity = Table(
    "activity",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("window_seconds", Integer, primary_key=True, autoincrement=False),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("messages", BigInteger, nullable=False),
    Column("conversations", BigInteger, nullable=False, comment="distinct ones with a message"),
    Column("user_words", BigInteger, nullable=False),
    Column("assistant_words", BigInteger, nullable=False),
    Column("audio_messages", BigInteger, nullable=False, comment="messages with an audio_url"),
    schema=OPERATIONS,
    prefixes=_UNLOGGED,
    comment="messages, active conversations and speech of the last minutes, by partition; "
    "operational: neither backed up nor rebuilt",
)
