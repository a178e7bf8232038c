"""What goes in and out over HTTP, with the examples that the documentation shows."""

from services.gateway.api.models.activity import ActivityOut, ChannelOut, WindowOut
from services.gateway.api.models.backfills import BackfillIn, BackfillOut, BackfillsOut
from services.gateway.api.models.base import Id, Request, Text
from services.gateway.api.models.conversations import (
    ConversationCreatedOut,
    ConversationIn,
    ConversationOut,
    ConversationsOut,
    ConversationSummaryOut,
    EndedOut,
    EndIn,
    SegmentOut,
    SessionOut,
    VerdictOut,
)
from services.gateway.api.models.messages import (
    AskedOut,
    AskIn,
    MessageIn,
    MessageOut,
    MessageRecordedOut,
    MessagesOut,
    ShownOut,
    TranscriptIn,
)
from services.gateway.api.models.results import (
    CoverageDayOut,
    CoverageOut,
    MadeVerdictOut,
    RevisionOut,
    VerdictsOut,
    WholeSegmentOut,
)
from services.gateway.api.models.sessions import (
    SessionEndedOut,
    SessionEndIn,
    SessionIn,
    SessionStartedOut,
)
from services.gateway.api.models.states import StateOut, TransitionIn, TransitionOut
from services.gateway.api.models.users import PreferencesChangedOut, PreferencesIn, PreferencesOut

__all__ = [
    "ActivityOut",
    "AskIn",
    "AskedOut",
    "BackfillIn",
    "BackfillOut",
    "BackfillsOut",
    "ChannelOut",
    "ConversationCreatedOut",
    "ConversationIn",
    "ConversationOut",
    "ConversationSummaryOut",
    "ConversationsOut",
    "CoverageDayOut",
    "CoverageOut",
    "EndIn",
    "EndedOut",
    "Id",
    "MadeVerdictOut",
    "MessageIn",
    "MessageOut",
    "MessageRecordedOut",
    "MessagesOut",
    "PreferencesChangedOut",
    "PreferencesIn",
    "PreferencesOut",
    "Request",
    "RevisionOut",
    "SegmentOut",
    "SessionEndIn",
    "SessionEndedOut",
    "SessionIn",
    "SessionOut",
    "SessionStartedOut",
    "ShownOut",
    "StateOut",
    "Text",
    "TranscriptIn",
    "TransitionIn",
    "TransitionOut",
    "VerdictOut",
    "VerdictsOut",
    "WholeSegmentOut",
    "WindowOut",
]
