"""Where rows are played: a Kafka and a PostgreSQL of their own, which they may break."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from parley.db import migrations
from parley.ids import random_id
from parley.local.stack import Stack
from parley.log.admin import apply_topics
from parley.settings import Settings
from tests.support.apart import settings_apart
from tests.support.passes import apply_shipped
from tests.support.processes import ROOT


class Stage:
    """An embedded stack, started when the first row needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = Stack(folder / "stack", cache_dir=ROOT / ".parley")

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Settings]:
        """New topics and a new database with all tables; they are gone at the end."""
        await asyncio.to_thread(self.stack.up, _silent)
        folder = self.folder / random_id()[:8]
        async with settings_apart(self.stack.endpoints(), folder) as settings:
            settings.state_dir.mkdir(parents=True)
            await migrations.upgrade(settings)
            await apply_topics(settings)
            await apply_shipped(settings)
            yield settings


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage in a temporary folder; its servers are stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="parley-faults-") as folder:
        made = Stage(Path(folder))
        try:
            yield made
        finally:
            made.stack.down()


def _silent(_: str) -> None:
    """Nobody wants to read that servers come back."""
