"""Which jobs a command is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from parley.analyses import JobKey, Lane
from parley.codec import InvalidRecord
from parley.codec.validity import check_uuid
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError

SQL: Final = load(__package__)

Row = Mapping[str, Any]


class State(StrEnum):
    """Where a job stands."""

    OPEN = "open"
    CLAIMED = "claimed"
    PARKED = "parked"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    VERDICT = "verdict"


Segments = Annotated[
    list[str] | None, typer.Argument(metavar="[SEGMENT]…", help="Ids of their segments.")
]
PassOption = Annotated[str | None, typer.Option("--pass", help="Only of this pass.")]
ConversationOption = Annotated[
    str | None, typer.Option("--conversation", help="Only of this conversation.")
]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Only with this reason, such as budget.")
]


@dataclass(frozen=True, slots=True)
class Choice:
    """Jobs by what they have in common; None lets all pass."""

    states: tuple[str, ...]
    segments: tuple[str, ...] | None = None
    pass_name: str | None = None
    conversation_id: str | None = None
    tenant_id: str | None = None
    reason: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the state was asked for."""
        return self != Choice(self.states)


def segments_of(texts: Sequence[str] | None) -> tuple[str, ...] | None:
    """Segments' ids; raises UserError for what is none."""
    for text in texts or ():
        try:
            check_uuid("segment", text)
        except InvalidRecord as error:
            raise UserError(
                f"{text} is no id of a segment.",
                "`parley jobs list` and `parley explain CONVERSATION` show them.",
            ) from error
    return tuple(texts) if texts else None


async def choose(
    pool: Pool, chosen: Choice, *, limit: int, after: JobKey | None = None
) -> list[Row]:
    """So many jobs after a key, in the order of their keys."""
    rows: list[Row] = await pool.fetch(
        SQL["choose"],
        chosen.segments,
        chosen.states,
        chosen.pass_name,
        chosen.conversation_id,
        chosen.tenant_id,
        chosen.reason,
        *(after or (None,) * 5),
        limit,
    )
    return rows


def key_of(row: Row) -> JobKey:
    """The job's key."""
    return (
        row["tenant_id"],
        str(row["segment_id"]),
        row["revision"],
        row["pass_name"],
        row["pass_version"],
    )


def summary(row: Row) -> dict[str, Any]:
    """A job in a line."""
    return {
        "segment": str(row["segment_id"]),
        "revision": row["revision"],
        "pass": f"{row['pass_name']}@{row['pass_version']}",
        "state": row["state"],
        "reason": row["reason"],
        "lane": Lane(row["lane"]).name.lower(),
        "trigger": row["trigger"],
        "attempts": row["attempt_count"],
        "failures": row["failure_count"],
        "tenant": row["tenant_id"],
        "conversation": row["conversation_id"],
        "due_at": row["due_at"] if row["state"] in ("open", "claimed") else None,
    }
