"""What prompt jobs ask of the database, each for itself, done for many of them at once."""

from collections.abc import Sequence
from typing import Final

from parley.analyses import Charge
from parley.digests import SpokenMember
from services.analyzer.core.jobs import Job, Segment
from services.analyzer.gathering import Gathering
from services.analyzer.store import HeldOutcome, JobStore, Recalled, Refusal, Reservation

MOST: Final = 64
# The texts of so many segments at once are held in memory.
MOST_LOADED: Final = 32


class JobsTogether:
    """The store as one job sees it; a job that is alone waits for nobody."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._loads = Gathering(self._load, MOST_LOADED)
        self._recalls = Gathering(store.recall, MOST)
        self._reservations = Gathering(store.reserve, MOST)
        self._settlements = Gathering(store.settle_all, MOST)

    async def load(self, segment: Segment) -> Sequence[SpokenMember]:
        """The messages of a segment as of the position at which it was sealed."""
        return await self._loads.ask(segment)

    async def recall(self, tenant_id: str, key: bytes) -> Recalled | None:
        """What was answered before to the same, if it was."""
        return await self._recalls.ask((tenant_id, key))

    async def reserve(self, reservation: Reservation) -> Refusal | None:
        """Count a call, and commit that, before it is made; why it is not to be made, if so."""
        return await self._reservations.ask(reservation)

    async def pay(self, job: Job, charges: Sequence[Charge]) -> None:
        """Write what calls cost while their job goes on: few jobs make a second call."""
        await self._store.pay(job, charges)

    async def settle(self, held: HeldOutcome) -> bool:
        """Write what became of a job under its claim's token; whether it counted."""
        return await self._settlements.ask(held)

    async def _load(self, segments: Sequence[Segment]) -> list[list[SpokenMember]]:
        loaded = await self._store.load(list(dict.fromkeys(segments)))
        return [loaded[one] for one in segments]
