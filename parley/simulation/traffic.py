"""Runs the clients of a simulation side by side."""

import asyncio
from collections.abc import Callable
from typing import Final

from parley import clock, ids
from parley.errors import UserError
from parley.simulation.client import Client, Speaker
from parley.simulation.counts import Counts
from parley.simulation.plan import LATE_S, Plan, frames

REPORT_EVERY_S: Final = 0.25
# How much longer than planned a gateway may be away before the simulation gives up.
PATIENCE_S: Final = 60.0


class Traffic:
    """The conversations of one run; their ids are new in every run."""

    def __init__(self, gateway_url: str, channel: str, plan: Plan) -> None:
        self.counts = Counts()
        self._gateway_url = gateway_url
        self._channel = channel
        self._plan = plan
        self._name = ids.random_id()[:8]

    def message_counts(self) -> dict[str, int]:
        """How many different messages each conversation has at the end, by its id."""
        numbers = range(self._plan.conversation_count)
        return {self._conversation_id(one): self._plan.message_count(one) for one in numbers}

    async def run(self, report: Callable[[Counts], None]) -> None:
        """Talk until every message is answered; `report` is called a few times a second.

        Raises UserError when the gateway stays away.
        """
        reporter = asyncio.create_task(self._report(report))
        limit_s = self._plan.duration_s + LATE_S[1] + PATIENCE_S
        try:
            async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
                for client in self._clients():
                    group.create_task(client.run())
        except TimeoutError as error:
            raise UserError(
                f"The gateway at {self._gateway_url} did not answer everything: "
                f"{self.counts.line()}.",
                "See `parley status`, and `parley local logs gateway`.",
            ) from error
        finally:
            reporter.cancel()
            report(self.counts)

    def _clients(self) -> list[Client]:
        began_at, began_monotonic_s = clock.now(), clock.monotonic()
        return [
            Client(
                Speaker(
                    self._gateway_url,
                    self._conversation_id(number),
                    f"simulator-{self._name}",
                    f"user-{number}",
                    self._channel,
                    began_at,
                    began_monotonic_s,
                ),
                frames(self._plan, number),
                self.counts,
            )
            for number in range(self._plan.conversation_count)
        ]

    def _conversation_id(self, number: int) -> str:
        return f"sim-{self._name}-{number}"

    async def _report(self, report: Callable[[Counts], None]) -> None:
        while True:
            report(self.counts)
            await asyncio.sleep(REPORT_EVERY_S)
