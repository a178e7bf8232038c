"""Whether a simulated process lives, stands still, or is dead; and how long what it asks takes."""

import asyncio
from random import Random


class Life:
    """Every call of a process to the world outside passes through here, before and after.

    A dead process's calls never return, as after `kill -9`: what they had done is done. Those of
    one that is paused return when it goes on. When the world is over, everybody may go.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.is_dead = False
        self._moves = asyncio.Event()
        self._moves.set()

    @property
    def is_heard(self) -> bool:
        """Whether it sends heartbeats."""
        return self._moves.is_set() and not self.is_dead

    def pause(self) -> None:
        self._moves.clear()

    def resume(self) -> None:
        if not self.is_dead:
            self._moves.set()

    def kill(self) -> None:
        self.is_dead = True
        self._moves.clear()

    def let_go(self) -> None:
        """The world is over."""
        self._moves.set()

    async def passes(self, longest_s: float = 0.02) -> None:
        """Take a moment of time, and wait for as long as the process stands still."""
        await asyncio.sleep(self.chance.uniform(0.0, longest_s))
        await self._moves.wait()
