"""One partition's way into the log: what comes while a batch is under way makes up the next."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from parley import clock
from parley.log.producer import Appended, Record
from parley.position import Position
from services.gateway import metrics
from services.gateway.core.refusals import Code
from services.gateway.stream.acknowledged import Acknowledged
from services.gateway.stream.beat import Beat
from services.gateway.stream.submission import Outcome, Recorded, Submission, Written, not_durable

log = structlog.get_logger(__name__)

MAX_BATCH_BYTES: Final = 256 * 1024
MAX_BATCH_RECORDS: Final = 500
DURABLE: Final = "durable"


class SendsBatches(Protocol):
    """What is asked of a producer."""

    async def append_batch(self, partition: int, batch: Sequence[Record]) -> list[Appended]:
        """Publish records in their order, and return where they lie once all are durable.

        None of them is larger than a record of the log may be.
        """


class GroupCommit:
    """Sends a partition's submissions in the order in which they came, one batch at a time.

    Batches are as large as Kafka is slow, so nobody waits for others to come. A submission that
    is overdue is refused at once: one that no batch has taken yet is then never sent, and one
    that is under way keeps its place until Kafka, or the producer, is done with it.
    """

    def __init__(
        self,
        producer: SendsBatches,
        beat: Beat,
        incarnation: str,
        partition: int,
        release: Callable[[int], None],
        acknowledged: Acknowledged,
        written: Written,
    ) -> None:
        """`release` is told how many submissions no longer count as unacknowledged."""
        self._written = written
        self._acknowledged = acknowledged
        self._beat = beat
        self._producer = producer
        self._incarnation = incarnation
        self._partition = partition
        self._release = release
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Submission] = deque()
        self._under_way: list[Submission] = []
        self._sending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, submission: Submission) -> None:
        """Send it soon; deadlines must come in the order of the calls."""
        self._waiting.append(submission)
        if self._sending is None:
            self._sending = self._loop.create_task(self._send_all())
        if self._timer is None:
            self._timer = self._loop.call_later(
                submission.deadline_s - clock.monotonic(), self._give_up_overdue
            )

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                # Whatever is read until then belongs into the batch.
                await self._beat.next(self._waiting)
                # All may have been given up meanwhile.
                if self._waiting:
                    with self._beat.under_way():
                        await self._send(self._next_batch())
        finally:
            self._sending = None

    async def _send(self, batch: list[Submission]) -> None:
        self._under_way = batch
        appended: Sequence[Appended] = ()
        try:
            appended = await self._producer.append_batch(self._partition, batch)
        except KafkaError as error:
            log.warning("not_durable", error=type(error).__name__, count=len(batch))
        except Exception as error:  # noqa: BLE001 - a fault of ours; the next batch must go
            self._loop.call_exception_handler(
                {"message": "a batch could not be sent", "exception": error}
            )
        finally:
            # Also where the gateway is stopped in the middle: everybody gets an answer.
            self._under_way = []
            self._release(len(batch))
            self._answer(batch, _offsets(appended))
            if appended:
                # Behind the answers, which go out in the next turn: somebody waits for them.
                self._loop.call_soon(self._written, self._partition, batch, appended)

    def _next_batch(self) -> list[Submission]:
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and len(batch) < MAX_BATCH_RECORDS:
            size += self._waiting[0].size
            if size > MAX_BATCH_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _answer(self, batch: Sequence[Submission], offsets: Sequence[int]) -> None:
        if not offsets:
            self._refuse(batch)
            return
        now_s, count = clock.monotonic(), 0
        incarnation, partition = self._incarnation, self._partition
        for submission, offset in zip(batch, offsets, strict=True):
            if submission.then is not None:
                count += 1
                metrics.ACK_SECONDS.observe(now_s - submission.submitted_s)
                position = Position(incarnation, partition, offset)
                self._tell(submission, Recorded(submission.event_id, position))
        self._acknowledged.add(count)
        metrics.EVENTS.add_many(count, DURABLE)

    def _refuse(self, submissions: Sequence[Submission]) -> None:
        metrics.EVENTS.add_many(sum(one.then is not None for one in submissions), Code.NOT_DURABLE)
        for submission in submissions:
            self._tell(submission, not_durable())

    def _give_up_overdue(self) -> None:
        self._timer = None
        now_s = clock.monotonic()
        overdue = [one for one in self._under_way if one.deadline_s <= now_s]
        kept = len(overdue)
        while self._waiting and self._waiting[0].deadline_s <= now_s:
            overdue.append(self._waiting.popleft())
        self._release(len(overdue) - kept)
        self._refuse(overdue)
        self._watch(now_s)

    def _watch(self, now_s: float) -> None:
        """Wake up at the next deadline, if there is one."""
        pending = (one for one in (*self._under_way, *self._waiting) if one.then is not None)
        first = next(pending, None)
        if first is not None and self._timer is None:
            self._timer = self._loop.call_later(first.deadline_s - now_s, self._give_up_overdue)

    def _tell(self, submission: Submission, outcome: Outcome) -> None:
        then, submission.then = submission.then, None
        if then is None:
            return
        try:
            then(outcome)
        except Exception as error:  # noqa: BLE001 - as the loop does: one's fault is not the others'
            self._loop.call_exception_handler(
                {"message": "an answer could not be given", "exception": error}
            )


def _offsets(appended: Sequence[Appended]) -> list[int]:
    return [first + number for first, count, _ in appended for number in range(count)]
