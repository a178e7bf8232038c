"""Sends deliveries: claimed under a lease, one connection each, so many at a time.

A crash after a request and before its end is written sends it again, under the same id.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from parley import clock
from parley.db.errors import is_transient
from parley.webhooks.addresses import Network, target_of
from parley.webhooks.body import verdict_body
from parley.webhooks.request import headers_of, is_key_of
from parley.webhooks.resting import Resting
from parley.webhooks.sending import Answer, Limits, send
from services.analyzer.webhooks.core import (
    Consequence,
    DeliveryState,
    Receiver,
    consequence,
    rooms,
)
from services.analyzer.webhooks.store import Claimed, DeliveryStore

log = structlog.get_logger(__name__)

POLL_S: Final = 1.0
TIDY_EVERY_S: Final = 30.0
# Shared out among receivers: each request waits for its own, and holds a socket and a verdict.
MOST_REQUESTS: Final = 200

ATTEMPTS: Final = Counter(
    "parley_webhook_attempts_total",
    "Requests to webhooks, by what became of them.",
    ["outcome"],
)
LATENCY: Final = Histogram(
    "parley_webhook_attempt_seconds",
    "Seconds from a request to a webhook to its answer.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
WAITING: Final = Gauge("parley_webhook_deliveries_waiting", "Deliveries that are not at their end.")
OLDEST: Final = Gauge("parley_webhook_oldest_seconds", "Age of the oldest delivery that waits.")
DISABLED: Final = Gauge(
    "parley_webhooks_disabled", "Webhooks that are told of nothing because they failed for long."
)
IN_FLIGHT: Final = Gauge("parley_webhook_requests_in_flight", "Requests that wait for an answer.")


@dataclass(frozen=True, slots=True)
class SendingRules:
    """How requests are sent, how many at a time to one receiver, and when one is given up."""

    server_key: str | None
    timeout_s: float
    networks: Sequence[Network]
    per_receiver: int
    resting: Resting
    disable_after: timedelta
    kept: timedelta


class Sender:
    """Sends what is due, until it is told to stop."""

    def __init__(self, store: DeliveryStore, rules: SendingRules, bell: asyncio.Event) -> None:
        self._store = store
        self._rules = rules
        self._bell = bell
        self._in_flight = 0
        self._tidied_at = -TIDY_EVERY_S
        self._wrong_key: list[str] = []
        self._disabled = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`; requests under way are ended first."""
        async with asyncio.TaskGroup() as requests:
            while not stop.is_set():
                try:
                    claimed = await self._claim()
                    await self._tidy()
                except Exception as error:
                    if not is_transient(error):
                        raise
                    log.warning("webhooks_wait", error=type(error).__name__)
                    claimed = []
                for one in claimed:
                    self._count(1)
                    requests.create_task(self._deliver(one))
                if not claimed:
                    await self._wait()

    async def check(self) -> None:
        """Raises where somebody has to act: no key, another key, disabled receivers."""
        problems = []
        if self._wrong_key:
            what = "is not set" if self._rules.server_key is None else "is another than it was"
            names = ", ".join(self._wrong_key[:3])
            problems.append(f"PARLEY_WEBHOOK_KEY {what}: {len(self._wrong_key)} wait ({names})")
        if self._disabled:
            problems.append(f"{self._disabled} disabled by failures: see `parley webhooks list`")
        if problems:
            raise RuntimeError("; ".join(problems))

    async def _claim(self) -> list[Claimed]:
        usable = self._usable(await self._store.receivers())
        found = rooms(usable, self._rules.per_receiver, MOST_REQUESTS)
        return await self._store.claim(found) if found else []

    def _usable(self, receivers: Sequence[Receiver]) -> list[Receiver]:
        """Those whose secrets this process can derive."""
        key = self._rules.server_key
        usable = [one for one in receivers if key and is_key_of(key, one.tenant_id, one.webhook)]
        known = {one.key for one in usable}
        self._wrong_key = ["/".join(one.key) for one in receivers if one.key not in known]
        return usable

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            answer = await self._send(claimed)
            await self._settle(claimed, answer)
        except Exception as error:
            if not is_transient(error):
                raise
            # Its lease runs out, and it is sent again.
            log.warning("delivery_not_settled", error=type(error).__name__)
        finally:
            self._count(-1)
            self._bell.set()

    async def _send(self, claimed: Claimed) -> Answer | None:
        """What was answered; None where there is nothing to send any more."""
        if claimed.verdict is None:
            return None
        receiver = claimed.receiver
        webhook = receiver.webhook
        body = verdict_body(
            receiver.tenant_id, webhook.webhook_id, claimed.delivery_id, claimed.verdict
        )
        headers = headers_of(
            self._rules.server_key or "",
            receiver.tenant_id,
            webhook,
            claimed.delivery_id,
            body,
            clock.now(),
        )
        limits = Limits(self._rules.timeout_s, self._rules.networks)
        return await send(target_of(webhook.url), headers, body, limits)

    async def _settle(self, claimed: Claimed, answer: Answer | None) -> None:
        then = self._consequence(claimed, answer)
        is_disabled = await self._store.settle(claimed, answer, then, self._rules.disable_after)
        if answer is not None:
            outcome = "success" if answer.is_success else _outcome(answer)
            ATTEMPTS.labels(outcome).inc()
            LATENCY.observe(answer.latency_seconds)
        if is_disabled:
            tenant_id, webhook_id = claimed.receiver.key
            log.error("webhook_disabled", tenant_id=tenant_id, webhook_id=webhook_id)

    def _consequence(self, claimed: Claimed, answer: Answer | None) -> Consequence:
        if answer is None:
            return Consequence(DeliveryState.GONE, "verdict_deleted")
        return consequence(
            answer,
            claimed.attempt_count,
            claimed.receiver.failure_count,
            self._rules.resting,
            random.random(),  # noqa: S311 - spreads load, hides nothing
        )

    async def _tidy(self) -> None:
        if clock.monotonic() - self._tidied_at < TIDY_EVERY_S:
            return
        self._tidied_at = clock.monotonic()
        await self._store.tidy(self._rules.kept)
        found = await self._store.waiting()
        WAITING.set(found["deliveries"])
        OLDEST.set(found["oldest_seconds"])
        DISABLED.set(found["disabled"])
        self._disabled = found["disabled"]

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._bell.wait()
        except TimeoutError:
            return
        finally:
            self._bell.clear()

    def _count(self, change: int) -> None:
        self._in_flight += change
        IN_FLIGHT.set(self._in_flight)


def _outcome(answer: Answer) -> str:
    """What went wrong, in few enough words for a label."""
    if answer.status is not None:
        return f"{answer.status // 100}xx"
    return answer.problem.partition(":")[0]
