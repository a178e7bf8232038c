"""Ids that a client gives to what it sends, so that the same again is recognised for ever."""

from itertools import count

from parley.ids import random_id


class FrameIds:
    """`<run>-<counter>`: unlike in any other run, so a restarted program never repeats one."""

    def __init__(self) -> None:
        self.run_id = random_id()
        self._numbers = count(1)

    def next(self) -> str:
        """A new id; from any thread."""
        # The step of a count is one step of the interpreter: two threads never get the same.
        return f"{self.run_id}-{next(self._numbers)}"


# One for the whole process, so that all of its connections are one client, as a page's are.
_PROCESS_CLIENT_ID = f"client-{random_id()}"


def process_client_id() -> str:
    """The client id of whoever names none: random, and the same until the program ends."""
    return _PROCESS_CLIENT_ID
