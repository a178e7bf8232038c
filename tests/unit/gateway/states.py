"""The states of a conversation, by short names."""

from parley.events import ConversationState

IDLE = ConversationState.IDLE
LISTENING = ConversationState.LISTENING
PROCESSING = ConversationState.PROCESSING
SPEAKING = ConversationState.SPEAKING
WAITING = ConversationState.WAITING_FOR_USER
ERROR = ConversationState.ERROR
ENDED = ConversationState.ENDED
