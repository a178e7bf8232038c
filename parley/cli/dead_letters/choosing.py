"""Which dead letters a command is about, and what is shown of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from parley import clock
from parley.cli.times import moment_of
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError
from parley.settings import Settings
from parley.topics import Topic

SQL: Final = load(__package__)

Row = Mapping[str, Any]


class TopicName(StrEnum):
    """The topics whose records may become dead letters."""

    EVENTS = "events"
    SEALS = "seals"
    ANALYSES = "analyses"
    CONFIG = "config"


class Standing(StrEnum):
    """What was done about a letter; `open` is nothing yet."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"
    ALL = "all"


Ids = Annotated[
    list[int] | None, typer.Argument(help="Their ids, as `parley dead-letters list` shows them.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Only of this reason, such as id_conflict.")
]
ServiceOption = Annotated[str | None, typer.Option("--service", help="Only of this service.")]
TopicOption = Annotated[
    TopicName | None, typer.Option("--topic", help="Only records of this topic.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", help="Only later ones: a time (UTC without zone), or 90m, 12h, 7d ago."
    ),
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Only earlier ones.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """Letters by id, or by what they have in common; None lets all pass."""

    ids: tuple[int, ...] | None = None
    reason: str | None = None
    service: str | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    standing: Standing = Standing.OPEN

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the standing was asked for."""
        return self != Choice(standing=self.standing)


def choice(
    settings: Settings,
    ids: Sequence[int] | None,
    reason: str | None,
    service: str | None,
    topic: TopicName | None,
    since: str | None,
    until: str | None,
) -> Choice:
    """What was asked for, among open letters; ids are meant whatever was done about them.

    Raises UserError, also where ids and filters are mixed.
    """
    now = clock.now()
    by_filter = Choice(
        reason=reason,
        service=service,
        topic=None if topic is None else settings.topic(Topic[topic.name]),
        since=None if since is None else moment_of("--since", since, now),
        until=None if until is None else moment_of("--until", until, now),
    )
    if not ids:
        return by_filter
    if by_filter.is_narrow:
        raise UserError("Ids and filters do not go together.", "Name the ids alone.")
    return Choice(ids=tuple(ids), standing=Standing.ALL)


async def choose(
    pool: Pool, chosen: Choice, *, limit: int, after_id: int = 0, newest_first: bool = False
) -> list[Row]:
    """So many letters above `after_id`; raises UserError for an id that no letter has."""
    rows: list[Row] = await pool.fetch(
        SQL["choose"],
        chosen.ids,
        chosen.reason,
        chosen.service,
        chosen.topic,
        chosen.since,
        chosen.until,
        chosen.standing.value,
        after_id,
        newest_first,
        limit,
    )
    return rows


async def count(pool: Pool, chosen: Choice) -> int:
    """How many letters are meant; raises UserError for an id that no letter has."""
    if chosen.ids is None:
        rows = await choose(pool, chosen, limit=1)
        return int(rows[0]["chosen_count"]) if rows else 0
    rows = await choose(pool, chosen, limit=len(chosen.ids))
    missing = sorted(set(chosen.ids) - {row["id"] for row in rows})
    if missing:
        raise unknown(missing[0])
    return len(rows)


def unknown(letter_id: int) -> UserError:
    """What is said of an id that no letter has."""
    return UserError(
        f"There is no dead letter {letter_id}.",
        "`parley dead-letters list --state all` shows them; discarded ones are kept for a while.",
    )


def only(chosen: Choice, standing: Standing) -> Choice:
    """The same letters, of this standing."""
    return replace(chosen, standing=standing)


def standing_of(row: Row) -> Standing:
    """What was done about it last."""
    if row["discarded_at"] is not None:
        return Standing.DISCARDED
    return Standing.OPEN if row["redriven_at"] is None else Standing.REDRIVEN


def conversation_of(key: bytes | None) -> tuple[str, str]:
    """The tenant and the conversation that a key names, as far as it is one."""
    tenant_id, _, conversation_id = (key or b"").partition(b"\0")
    return _text(tenant_id), _text(conversation_id)


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")


def summary(row: Row) -> dict[str, Any]:
    """A letter in a line."""
    tenant_id, conversation_id = conversation_of(row["key"])
    return {
        "id": row["id"],
        "reason": row["reason"],
        "detail": row["detail"],
        "service": row["service"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["log_offset"],
        "tenant": tenant_id,
        "conversation": conversation_id,
        "bytes": row["value_bytes"],
        "dead_lettered_at": row["created_at"],
        "state": standing_of(row).value,
    }
