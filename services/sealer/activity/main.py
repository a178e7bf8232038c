"""The activity worker's process: counts what is said, and writes the latest figures."""

import asyncio
from typing import Any, Final

from parley import ids
from parley.db.pool import connect
from parley.health import Check, Health, HealthApp
from parley.lifecycle import run_service, serve
from services.sealer.activity.core import Limits
from services.sealer.activity.counting import Counting
from services.sealer.activity.measuring import Measuring
from services.sealer.activity.settings import ActivitySettings
from services.sealer.activity.store import Store
from services.sealer.activity.stream import ActivityStream

SERVICE: Final = "activity"


async def start(settings: ActivitySettings, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    counting = Counting(
        Limits(
            settings.activity_max_groups,
            settings.activity_max_channels,
            settings.activity_max_conversations,
        )
    )
    stream = ActivityStream(settings, counting)
    async with await connect(settings, max_size=2) as pool:
        measuring = Measuring(settings, counting, Store(pool, ids.random_id()))
        app = HealthApp(_health(stream, measuring, counting))
        await serve(app, settings, stop, stream.run, measuring.run)


def _health(stream: ActivityStream, measuring: Measuring, counting: Counting) -> Health:
    async def partitions() -> None:
        stream.check()

    async def measurements() -> None:
        measuring.check()

    def facts() -> dict[str, Any]:
        return {"partitions": counting.partitions}

    checks: dict[str, Check] = {"partitions": partitions, "measurements": measurements}
    return Health(SERVICE, checks, facts=facts)


def main() -> None:
    """Be the process `python -m services.sealer.activity.main`."""
    run_service(SERVICE, ActivitySettings, start)


if __name__ == "__main__":
    main()
