"""Answers that are paid for."""

from collections.abc import Sequence
from dataclasses import dataclass

from parley.db.pool import Connection, Pool
from services.analyzer.core.memo import Memo
from services.analyzer.store.rows import SQL, columns


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was answered before to the same."""

    output_json: str
    model: str
    prompt_digest: bytes


async def recall(pool: Pool, keys: Sequence[tuple[str, bytes]]) -> list[Recalled | None]:
    """The answers of these tenants and keys, in their order; None where there is none."""
    found: list[Recalled | None] = [None] * len(keys)
    for row in await pool.fetch(SQL["recall"], *columns(keys)):
        number, *answer = row.values()
        found[number - 1] = Recalled(*answer)
    return found


async def remember(connection: Connection, memos: Sequence[Memo]) -> None:
    """Keep answers, within the caller's transaction."""
    if memos:
        await connection.execute(SQL["remember"], *columns(memos))
