"""Who waits for the answer to which frame."""

import asyncio
from typing import Final

from parley.client.errors import CLOSED, NOT_ACKNOWLEDGED, TOO_MANY, Refused
from parley.client.frames import Ack, Problem

MAX_EXPECTED: Final = 10_000


class Answers:
    """The answers that are waited for, at most 10,000, and what went wrong with each meanwhile."""

    def __init__(self) -> None:
        self._expected: dict[str, asyncio.Future[Ack]] = {}
        self._troubles: dict[str, Problem] = {}

    def expect(self, frame_id: str) -> "asyncio.Future[Ack]":
        """A future that gets the answer; `forget` it in any case. Raises Refused, ValueError."""
        if frame_id in self._expected:
            raise ValueError("a frame with this id is being sent already")
        if len(self._expected) >= MAX_EXPECTED:
            problem = Problem(TOO_MANY, "too much waits for an answer", retryable=True, id=frame_id)
            raise Refused(problem)
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._expected[frame_id] = answer
        return answer

    def forget(self, frame_id: str) -> None:
        """Nobody waits any more."""
        self._expected.pop(frame_id, None)
        self._troubles.pop(frame_id, None)

    def take(self, frame_id: str, ack: Ack) -> None:
        """The frame is durable."""
        answer = self._expected.get(frame_id)
        if answer is not None and not answer.done():
            answer.set_result(ack)

    def refuse(self, frame_id: str, problem: Problem) -> None:
        """The frame never will be taken."""
        answer = self._expected.get(frame_id)
        if answer is not None and not answer.done():
            answer.set_exception(Refused(problem))

    def fail_all(self, failure: BaseException) -> None:
        """No answer comes any more."""
        for answer in self._expected.values():
            if not answer.done():
                answer.set_exception(failure)

    def note_trouble(self, problem: Problem) -> None:
        """It is tried again: kept, for when patience runs out."""
        if problem.id in self._expected:
            self._troubles[problem.id] = problem

    def trouble_of(self, frame_id: str) -> Problem:
        """Why there is no answer to the frame yet."""
        message = "no answer in time: perhaps it was recorded, perhaps not"
        unanswered = Problem(NOT_ACKNOWLEDGED, message, retryable=True, id=frame_id)
        return self._troubles.get(frame_id) or unanswered


def closed() -> Refused:
    """What is raised where nothing can be said any more."""
    return Refused(Problem(CLOSED, "the conversation is not connected any more"))
