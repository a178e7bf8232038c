"""What the fold takes: messages without their content, and whatever else happened."""

from parley.events import Event, MessageRecorded, Said

# Behind `as_fact` no Event is a message.
Fact = Said | Event


def as_fact(event: Event) -> Fact:
    """The event, without its content where it is a message."""
    if type(event.body) is not MessageRecorded:
        return event
    return Said(
        event.event_id,
        event.event_time,
        event.tenant_id,
        event.conversation_id,
        event.session_id,
        event.user_id,
        event.sender,
        event.channel,
        event.policy,
        event.import_id,
    )
