"""PostgreSQL as far as the fence and the outbox need it: transactions, row locks, lost replies."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from parley import clock
from parley.db.sql import load
from tests.simulation.life import Life

SQL: Final = {text: name for name, text in load("parley.db").items()}
IDLE_LIMIT_S: Final = 5.0
LOCK_LIMIT_S: Final = 10.0
# Of all statements and commits: those whose connection breaks before, and after.
BROKEN: Final = 0.01

Key = tuple[str, str, int]
Row = dict[str, Any]


class Transaction:
    """What it would change, and the fences that it has locked."""

    def __init__(self, store: "Store") -> None:
        self.changes: list[Callable[[], None]] = []
        self.heard_at = clock.monotonic()
        self.is_open = True
        self._store = store

    @property
    def is_idle_too_long(self) -> bool:
        return clock.monotonic() - self.heard_at > IDLE_LIMIT_S

    def end(self, is_commit: bool) -> None:
        """Let everybody see the changes, or nobody; the locks are free."""
        self.is_open = False
        if is_commit:
            for change in self.changes:
                change()
        for key in [one for one, holder in self._store.locks.items() if holder is self]:
            del self._store.locks[key]


@dataclass(slots=True)
class Store:
    """The tables, and whether anybody can reach them."""

    fences: dict[Key, Row] = field(default_factory=dict)
    outbox: list[Row] = field(default_factory=list)
    applied: dict[int, list[int]] = field(default_factory=dict)
    states: dict[int, tuple[int, int]] = field(default_factory=dict)
    locks: dict[Key, Transaction] = field(default_factory=dict)
    is_up: bool = True

    def go_down(self) -> None:
        """Stop at once: what was not committed is gone."""
        self.is_up = False
        for holder in list(self.locks.values()):
            holder.end(is_commit=False)

    async def lock(self, key: Key, by: Transaction) -> None:
        """Wait for the row; who holds it and says nothing for too long loses it."""
        deadline = clock.monotonic() + LOCK_LIMIT_S
        while (holder := self.locks.get(key)) not in (None, by):
            if holder is not None and holder.is_idle_too_long:
                holder.end(is_commit=False)
            elif clock.monotonic() > deadline:
                raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
            else:
                await asyncio.sleep(0.05)
        self.locks[key] = by


class Connection:
    """One connection of a process; each statement is a transaction, or part of the open one."""

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life
        self._open: Transaction | None = None

    async def execute(self, sql: str, *arguments: Any) -> str:
        return str(await self._statement(SQL[sql], arguments))

    async def fetchrow(self, sql: str, *arguments: Any) -> Row | None:
        row: Row | None = await self._statement(SQL[sql], arguments)
        return row

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        rows: list[Row] = await self._statement(SQL[sql], arguments)
        return rows

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        return await self._statement(SQL[sql], arguments)

    def get_server_pid(self) -> int:
        return id(self)

    async def change(self, change: Callable[[], None]) -> None:
        """Anything else, within the open transaction."""
        assert self._open is not None
        await self._reach(self._open)
        self._open.changes.append(change)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._open = opened = Transaction(self._store)
        try:
            yield
            await self._reach(opened)
            opened.end(is_commit=True)
            await self._answer()
        finally:
            self._open = None
            if opened.is_open and not self._life.is_dead:
                opened.end(is_commit=False)

    async def _statement(self, name: str, arguments: Sequence[Any]) -> Any:
        inside = self._open or Transaction(self._store)
        await self._reach(inside)
        result = await getattr(_Statements(self._store, inside), name)(*arguments)
        if self._open is None:
            inside.end(is_commit=True)
        await self._answer()
        return result

    async def _reach(self, inside: Transaction) -> None:
        await self._life.passes()
        if inside.is_idle_too_long:
            inside.end(is_commit=False)
        if not self._store.is_up or not inside.is_open or self._life.chance.random() < BROKEN:
            inside.end(is_commit=False)
            raise ConnectionResetError("broken before the statement")
        inside.heard_at = clock.monotonic()

    async def _answer(self) -> None:
        await self._life.passes()
        if not self._store.is_up or self._life.chance.random() < BROKEN:
            if self._open is not None:
                self._open.end(is_commit=False)
            raise ConnectionResetError("the answer is lost")


class Pool:
    """The connections of one process."""

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life
        self.execute = Connection(store, life).execute
        self.fetchrow = Connection(store, life).fetchrow
        self.fetch = Connection(store, life).fetch
        self.fetchval = Connection(store, life).fetchval

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        await self._life.passes()
        if not self._store.is_up:
            raise ConnectionRefusedError
        yield Connection(self._store, self._life)


class _Statements:
    """What the statements of parley/db/queries.sql do, by name."""

    def __init__(self, store: Store, inside: Transaction) -> None:
        self._store = store
        self._inside = inside

    async def claim_fence(
        self, consumer: str, topic: str, partition: int, incarnation: str, owner: str
    ) -> Row:
        key = (consumer, topic, partition)
        await self._store.lock(key, self._inside)
        row = self._store.fences.get(key) or {
            "incarnation": incarnation,
            "next_offset": 0,
            "owner_epoch": 0,
            "last_append_time": None,
            "last_checksum": None,
            "is_held": False,
            "stopped_reason": None,
        }
        claimed = {**row, "owner_epoch": row["owner_epoch"] + 1, "owner": owner}
        self._set(key, claimed)
        return claimed

    async def end_silent_holders(self, *_: object) -> int:
        # Who waits for a row sees to that by itself here.
        return 0

    async def advance_fence(self, consumer: str, topic: str, partition: int, *rest: Any) -> str:
        key = (consumer, topic, partition)
        await self._store.lock(key, self._inside)
        incarnation, owner_epoch, first, following, append_time, checksum = rest
        row = self._store.fences[key]
        found = (row["incarnation"], row["owner_epoch"], row["next_offset"])
        if found != (incarnation, owner_epoch, first):
            return "UPDATE 0"
        tail = {"last_append_time": append_time, "last_checksum": checksum}
        self._set(key, {**row, "next_offset": following, **tail, "stopped_reason": None})
        return "UPDATE 1"

    async def read_fence(self, consumer: str, topic: str, partition: int) -> Row | None:
        return self._store.fences.get((consumer, topic, partition))

    async def stop_fence(self, consumer: str, topic: str, partition: int, reason: str) -> str:
        key = (consumer, topic, partition)
        await self._store.lock(key, self._inside)
        self._set(key, {**self._store.fences[key], "stopped_reason": reason})
        return "UPDATE 1"

    async def clear_stop(self, consumer: str, topic: str, partition: int) -> str:
        key = (consumer, topic, partition)
        await self._store.lock(key, self._inside)
        self._set(key, {**self._store.fences[key], "stopped_reason": None})
        return "UPDATE 1"

    async def insert_outbox(self, consumer: str, topic: str, *columns: Any) -> str:
        names = ("topic", "partition", "key", "value", "headers")
        rows = [
            {
                **dict(zip(names, values, strict=True)),
                "source": (consumer, topic, source_partition),
                "is_published": False,
                "created_at": clock.now(),
            }
            for source_partition, *values in zip(*columns, strict=True)
        ]

        def insert() -> None:
            for row in rows:
                self._store.outbox.append({"id": len(self._store.outbox), **row})

        self._inside.changes.append(insert)
        return "INSERT"

    async def unpublished_outbox(
        self, consumer: str, topic: str, partition: int, limit: int
    ) -> list[Row]:
        source = (consumer, topic, partition)
        rows = self._store.outbox
        return [row for row in rows if row["source"] == source and not row["is_published"]][:limit]

    async def mark_published(self, ids: Sequence[int]) -> str:
        def mark() -> None:
            for number in ids:
                self._store.outbox[number]["is_published"] = True

        self._inside.changes.append(mark)
        return "UPDATE"

    async def trim_outbox(self, *_: Any) -> str:
        return "DELETE 0"

    def _set(self, key: Key, row: Row) -> None:
        def store() -> None:
            self._store.fences[key] = row

        self._inside.changes.append(store)
