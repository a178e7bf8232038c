"""What a client said becomes an event of the log."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from parley import event_time
from parley.events import Body, Event, Policy
from parley.ids import message_event_id
from services.gateway.core.frames import NO_CLOCKS, Clocks

# Without access control everybody is one sender, and `client_id` keeps programs apart; with it the
# sender is the token's subject. Switched on, it changes the ids of new messages.
ANONYMOUS: Final = "anonymous"


@dataclass(frozen=True, slots=True)
class Source:
    """Who writes, where and over which connection: the same for all events of a connection."""

    tenant_id: str
    conversation_id: str
    gateway_id: str
    sender: str = ANONYMOUS
    user_id: str = ""
    client_id: str = ""
    channel: str = ""
    session_id: str = ""
    connection_id: str = ""

    def event_id(self, client_message_id: str) -> str:
        """The id of what this client calls so: the same for ever, wherever it arrives."""
        return message_event_id(
            self.tenant_id, self.conversation_id, self.sender, self.client_id, client_message_id
        )


@dataclass(frozen=True, slots=True)
class Said:
    """Something to be written: its id, its body and what the client's clock said."""

    event_id: str
    body: Body
    clocks: Clocks = NO_CLOCKS
    client_message_id: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The event, and whether the client's clock had to be corrected."""

    event: Event
    was_clamped: bool


def write(
    source: Source, said: Said, policy: Policy, received_at: datetime, max_age: timedelta
) -> Written:
    """The one event of something said, received at this moment, under the policy of this moment."""
    clocks = said.clocks
    happened = event_time.live(received_at, clocks.occurred_at, clocks.sent_at, max_age)
    event = Event(
        event_id=said.event_id,
        body=said.body,
        event_time=happened.moment,
        received_at=received_at,
        tenant_id=source.tenant_id,
        conversation_id=source.conversation_id,
        session_id=source.session_id,
        user_id=source.user_id,
        sender=source.sender,
        client_id=source.client_id,
        client_message_id=said.client_message_id,
        connection_id=source.connection_id,
        gateway_id=source.gateway_id,
        channel=source.channel,
        occurred_at=clocks.occurred_at,
        sent_at=clocks.sent_at,
        policy=policy,
    )
    return Written(event, happened.was_clamped)
