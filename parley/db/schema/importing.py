"""How far imports have come: operational, so backed up and not rebuilt."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, func

from parley.db.schema.base import OPERATIONS, metadata

import_bookmarks = Table(
    "import_bookmarks",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("import_id", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("incarnation", Text, nullable=False),
    # In the import's own order.
    Column("event_count", BigInteger, nullable=False, comment="its events that are durable there"),
    Column("last_offset", BigInteger, nullable=False, comment="where the last one of them lies"),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    schema=OPERATIONS,
    comment="how much of an import lies in the log; operational: backed up, not rebuilt",
)
