"""Answers that are paid for."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from parley.db.pool import Connection, Pool
from services.analyzer.core.memo import Memo
from services.analyzer.store.rows import SQL, columns


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was answered before to the same."""

    output_json: str
    model: str
    prompt_digest: bytes


async def recall(pool: Pool, tenant_id: str, key: bytes) -> Recalled | None:
    """The tenant's answer of this key, if there is one."""
    row = await pool.fetchrow(SQL["recall"], tenant_id, key)
    return None if row is None else Recalled(*row.values())


async def remember(connection: Connection, memos: Sequence[Memo]) -> None:
    """Keep answers, within the caller's transaction."""
    if memos:
        await connection.execute(SQL["remember"], *columns(map(astuple, memos)))
