"""Merges the partitions of a topic into the order in which they are copied."""

import heapq
from collections.abc import AsyncIterator, Callable, Sequence

from parley.codec import LogRecord
from parley.incarnations.plan import MergeKey

Head = tuple[MergeKey, LogRecord, AsyncIterator[LogRecord]]


async def merged(
    sources: Sequence[AsyncIterator[LogRecord]], key: Callable[[LogRecord], MergeKey]
) -> AsyncIterator[LogRecord]:
    """The records of all sources by their keys; each source keeps its own order.

    `key` is asked for a record when all before it in its source were given out.
    """
    heads: list[Head] = []
    for source in sources:
        await _push(heads, source, key)
    while heads:
        _, record, source = heapq.heappop(heads)
        yield record
        await _push(heads, source, key)


async def _push(
    heads: list[Head], source: AsyncIterator[LogRecord], key: Callable[[LogRecord], MergeKey]
) -> None:
    record = await anext(source, None)
    if record is not None:
        # Keys differ: no two records lie at the same partition and offset.
        heapq.heappush(heads, (key(record), record, source))
