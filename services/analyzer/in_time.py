"""Runs jobs in a thread, and gives up those whose pass takes longer than it may."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from parley.digests import SpokenMember
from services.analyzer.core.jobs import Attempt, Segment
from services.analyzer.core.outcomes import Outcome, released
from services.analyzer.runner import Runner

# Python ends no thread: one that hangs is left to itself, until so many do at one time.
MOST_HANGING: Final = 4
NOW: Final = timedelta(0)


class PassesHang(RuntimeError):
    """So many threads hang that only a new process helps."""


class Thread:
    """A thread for the jobs of one claim."""

    hanging_count = 0
    _counting = threading.Lock()

    def __init__(
        self,
        runner: Runner,
        attempts: Sequence[Attempt],
        members: Mapping[Segment, Sequence[SpokenMember]],
    ) -> None:
        self._runner = runner
        self._attempts = attempts
        self._members = members
        self._done: list[Outcome] = []
        self._error: BaseException | None = None
        self._is_given_up = False
        self._is_over = False
        self._hangs = False
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # A daemon: one that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="passes", daemon=True)

    async def outcomes(self) -> list[Outcome]:
        """What becomes of each job; those after one that hangs are left as they were.

        Raises PassesHang where too many threads hang already.
        """
        self._thread.start()
        while not self._ended.is_set():
            if not await self._goes_on():
                return self._given_up()
        if self._error is not None:
            raise self._error
        return self._done

    async def _goes_on(self) -> bool:
        """Wait for the end, or for as long as the job under way may take; whether it got on."""
        count = len(self._done)
        timeout_s = self._runner.timeout_s(self._attempts[min(count, len(self._attempts) - 1)])
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            return len(self._done) > count
        return True

    def _given_up(self) -> list[Outcome]:
        self._is_given_up = True
        done = list(self._done)
        if len(done) == len(self._attempts):
            return done
        hanging_count = self._note_hanging()
        if hanging_count > MOST_HANGING:
            raise PassesHang(f"{hanging_count} threads hang")
        hanging, *others = self._attempts[len(done) :]
        left = [released(one, "behind_a_timeout", NOW) for one in others]
        return [*done, self._runner.timed_out(hanging), *left]

    def _work(self) -> None:
        try:
            for outcome in self._runner.each(self._attempts, self._members):
                if self._is_given_up:
                    break
                self._done.append(outcome)
        except BaseException as error:  # noqa: BLE001 - raised where the outcomes are waited for
            self._error = error
        finally:
            self._note_end()
            self._tell()

    def _note_hanging(self) -> int:
        """Count it, unless it has come to its end meanwhile; returns how many hang."""
        with Thread._counting:
            self._hangs = not self._is_over
            Thread.hanging_count += self._hangs
            return Thread.hanging_count

    def _note_end(self) -> None:
        """It was only late: it hangs no more."""
        with Thread._counting:
            self._is_over = True
            Thread.hanging_count -= self._hangs

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ended.set)
        except RuntimeError:
            # It hung for longer than the process ran.
            return
