"""The one MetaData that every table of Parley belongs to, with names for all constraints."""

from typing import Any, Final

from sqlalchemy import DDL, BigInteger, Column, MetaData, Text, event
from sqlalchemy.dialects.postgresql import UUID

# Where the tables live that no log can fill again: they are backed up, and a rebuild never
# touches them. All others are made anew from the log, and swapped as a whole.
OPERATIONS: Final = "operations"

# Named constraints, so that a migration can name what it drops.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_CREATE: Final = DDL(f"CREATE SCHEMA IF NOT EXISTS {OPERATIONS}")  # type: ignore[no-untyped-call]
event.listen(metadata, "before_create", _CREATE)


def job_name(*, is_key: bool = False) -> tuple[Column[Any], ...]:
    """The columns that name a job, and its verdict, within a tenant; alike in every table."""
    return (
        Column("segment_id", UUID(as_uuid=False), primary_key=is_key, nullable=False),
        Column("revision", BigInteger, primary_key=is_key, nullable=False),
        Column("pass_name", Text, primary_key=is_key, nullable=False),
        Column("pass_version", BigInteger, primary_key=is_key, nullable=False),
    )
