"""For programs that talk to Parley: `connect` takes part, `Tracker` records beside an agent."""

from parley.client.conversation import Conversation, connect
from parley.client.errors import Refused
from parley.client.frames import (
    Ack,
    Corrected,
    Gap,
    Heard,
    Interim,
    Interrupted,
    Message,
    Presence,
    Problem,
    Resumed,
    Speech,
    StateChanged,
)
from parley.client.sending import InvalidArgument
from parley.client.tracker import Tracker
from parley.client.tracking.stats import CloseReport, Stats

__all__ = [
    "Ack",
    "CloseReport",
    "Conversation",
    "Corrected",
    "Gap",
    "Heard",
    "Interim",
    "Interrupted",
    "InvalidArgument",
    "Message",
    "Presence",
    "Problem",
    "Refused",
    "Resumed",
    "Speech",
    "StateChanged",
    "Stats",
    "Tracker",
    "connect",
]
