"""What the routes stand on, and as whom a caller writes into a conversation."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from fastapi import HTTPException

from services.gateway import metrics
from services.gateway.access import Identity, Permission
from services.gateway.api.fields import After, position_of
from services.gateway.api.import_log import ImportLog
from services.gateway.core.events import Source
from services.gateway.core.refusals import Code, Refused
from services.gateway.limits import Limits, user_key
from services.gateway.responder.answering import Answering
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.store import Store, StoreUnavailable
from services.gateway.stream import Publisher, Recorded
from services.gateway.talk import Talk

Result = TypeVar("Result")

PATIENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway's parts, as far as HTTP needs them; without the last three it does without them."""

    settings: GatewaySettings
    publisher: Publisher
    sessions: Sessions
    talk: Talk
    store: Store
    limits: Limits | None = None
    answering: Answering | None = None
    imports: ImportLog | None = None

    async def source(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        user_id: str = "",
        client_id: str = "",
        session_id: str = "",
        channel: str = "",
    ) -> Source:
        """As what the caller writes.

        Raises Refused: forbidden, no_conversation for another user's, rate_limited; and
        state_unknown while nobody can tell a user whose conversation it is.
        """
        caller.requires(Permission.TALK)
        speaker = caller.speaks_as(user_id)
        self.spend(caller, speaker)
        await self._refuse_strangers(caller, conversation_id)
        return self.publisher.source(
            conversation_id,
            channel,
            caller.tenant_id,
            sender=caller.subject,
            user_id=speaker,
            client_id=client_id,
            session_id=session_id,
        )

    async def recorded_before(
        self, tenant_id: str, event_ids: Sequence[str]
    ) -> dict[str, Recorded]:
        """Those that are stored, and where: who sends again after an end learns what is true."""
        try:
            rows = await self.store.places(tenant_id, event_ids)
        except StoreUnavailable:
            return {}
        return {event_id: Recorded(event_id, position) for event_id, position in rows.items()}

    def spend(self, caller: Identity, user_id: str, count: int = 1) -> None:
        """Take from what the user may send; raises Refused, rate_limited."""
        if self.limits is not None:
            self.limits.spend(user_key(caller.tenant_id, user_id), count=count)

    async def wait_until_stored(self, after: After = None) -> None:
        """Wait, 2 s at most, until the tables hold a write; raises StoreBehind."""
        if after is not None:
            await self.store.wait_until_stored(position_of(after), PATIENCE_S)

    async def refuse_reading(self, caller: Identity, conversation_id: str) -> None:
        """Raise Refused unless the caller may read it: users read what is their own."""
        caller.requires(Permission.READ)
        if caller.may(Permission.LIST):
            return
        if await self.talk.owner(caller.tenant_id, conversation_id) != caller.user_id:
            raise unknown_conversation()

    async def _refuse_strangers(self, caller: Identity, conversation_id: str) -> None:
        if caller.may(Permission.ANSWER):
            return
        owner = await self.talk.owner(caller.tenant_id, conversation_id)
        if owner not in (None, caller.user_id):
            raise Refused(Code.NO_CONVERSATION, "there is no such conversation")


def unknown_conversation() -> HTTPException:
    """The same for one that is not stored and for one that is not the caller's."""
    return HTTPException(404, "no conversation of this id is stored")


async def counted(kind: str, work: Awaitable[Result]) -> Result:
    """Do it, and count what became of it beside the frames of WebSockets."""
    try:
        result = await work
    except Refused as refused:
        metrics.FRAMES.add(kind, refused.code)
        raise
    metrics.FRAMES.add(kind, "ok")
    return result
