"""What a program that talks to a gateway may meet."""

from parley.client.frames import Problem


class Refused(Exception):
    """The gateway did not take it.

    Where `retryable`, patience ran out: the same again, with the same `id`, may succeed later and
    is never stored twice. Otherwise it never will. Of a refused transition, `state` says where
    the conversation is and `allowed` where it may go.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.message}")
        self.code = problem.code
        self.message = problem.message
        self.retryable = problem.retryable
        self.id = problem.id
        self.state = problem.state
        self.allowed = problem.allowed


# Codes of our own, beside the gateway's.
UNREACHABLE = "unreachable"
NOT_ACKNOWLEDGED = "not_acknowledged"
FRAME_TOO_BIG = "frame_too_big"
CLOSED = "closed"
TOO_MANY = "too_many_unacknowledged"
